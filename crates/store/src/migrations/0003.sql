CREATE TABLE passkeys (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  credential TEXT,
  operator TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX passkeys_credential ON passkeys (tenant, credential) WHERE credential IS NOT NULL;
CREATE INDEX passkeys_operator ON passkeys (tenant, operator, id) WHERE operator IS NOT NULL;

CREATE TABLE spent (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  until INTEGER,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX spent_until ON spent (tenant, until, id) WHERE until IS NOT NULL;

CREATE TABLE api_tokens (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  secret_digest TEXT,
  operator TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX api_tokens_secret_digest ON api_tokens (tenant, secret_digest) WHERE secret_digest IS NOT NULL;
CREATE INDEX api_tokens_operator ON api_tokens (tenant, operator, id) WHERE operator IS NOT NULL;

CREATE TABLE keyed_requests (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  operator TEXT,
  until INTEGER,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX keyed_requests_operator ON keyed_requests (tenant, operator, id) WHERE operator IS NOT NULL;
CREATE INDEX keyed_requests_until ON keyed_requests (tenant, until, id) WHERE until IS NOT NULL;

ALTER TABLE identities ADD COLUMN said TEXT;
CREATE INDEX identities_said ON identities (tenant, source_key, said, state, due, revision) WHERE source_key IS NOT NULL;

CREATE TABLE fetched (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;
