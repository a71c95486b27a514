CREATE TABLE recoveries (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  state TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX recoveries_state ON recoveries (tenant, state, id) WHERE state IS NOT NULL;
