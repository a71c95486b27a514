-- The first schema. Written for SQLite; src/migrate.rs says what PostgreSQL calls the same.

CREATE TABLE identities (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  source_key TEXT,
  state TEXT,
  lookup TEXT,
  due INTEGER,
  name TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX identities_source_key ON identities (tenant, source_key) WHERE source_key IS NOT NULL;
CREATE INDEX identities_state ON identities (tenant, state, id) WHERE state IS NOT NULL;
CREATE INDEX identities_lookup ON identities (tenant, lookup, id) WHERE lookup IS NOT NULL;
CREATE INDEX identities_name ON identities (tenant, name, id) WHERE name IS NOT NULL;
CREATE INDEX identities_due ON identities (tenant, due, id) WHERE due IS NOT NULL;

CREATE TABLE accounts (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  locator TEXT,
  system TEXT,
  identity TEXT,
  seen INTEGER,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX accounts_locator ON accounts (tenant, locator) WHERE locator IS NOT NULL;
CREATE INDEX accounts_system ON accounts (tenant, system, id) WHERE system IS NOT NULL;
CREATE INDEX accounts_identity ON accounts (tenant, identity, id) WHERE identity IS NOT NULL;
CREATE INDEX accounts_seen ON accounts (tenant, seen, id) WHERE seen IS NOT NULL;

CREATE TABLE systems (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE integrations (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE entitlements (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  system TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX entitlements_system ON entitlements (tenant, system, id) WHERE system IS NOT NULL;

CREATE TABLE policies (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE credentials (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  integration TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX credentials_integration ON credentials (tenant, integration, id) WHERE integration IS NOT NULL;

CREATE TABLE operators (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  token_digest TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX operators_token_digest ON operators (tenant, token_digest) WHERE token_digest IS NOT NULL;

CREATE TABLE batches (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  source TEXT,
  state TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX batches_source ON batches (tenant, source, id) WHERE source IS NOT NULL;
CREATE INDEX batches_state ON batches (tenant, state, id) WHERE state IS NOT NULL;

CREATE TABLE events (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  dedupe TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX events_dedupe ON events (tenant, dedupe) WHERE dedupe IS NOT NULL;

CREATE TABLE plans (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  identity TEXT,
  state TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX plans_identity ON plans (tenant, identity, id) WHERE identity IS NOT NULL;
CREATE INDEX plans_state ON plans (tenant, state, id) WHERE state IS NOT NULL;

CREATE TABLE approvals (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  plan TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX approvals_plan ON approvals (tenant, plan) WHERE plan IS NOT NULL;

CREATE TABLE runs (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  plan TEXT,
  identity TEXT,
  system TEXT,
  state TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX runs_plan ON runs (tenant, plan, id) WHERE plan IS NOT NULL;
CREATE INDEX runs_identity ON runs (tenant, identity, id) WHERE identity IS NOT NULL;
CREATE INDEX runs_system ON runs (tenant, system, id) WHERE system IS NOT NULL;
CREATE INDEX runs_state ON runs (tenant, state, id) WHERE state IS NOT NULL;

CREATE TABLE cases (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  identity TEXT,
  state TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX cases_identity ON cases (tenant, identity, id) WHERE identity IS NOT NULL;
CREATE INDEX cases_state ON cases (tenant, state, id) WHERE state IS NOT NULL;

CREATE TABLE cells (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  case_id TEXT,
  system TEXT,
  verdict TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX cells_case_id ON cells (tenant, case_id, id) WHERE case_id IS NOT NULL;
CREATE INDEX cells_system ON cells (tenant, system, id) WHERE system IS NOT NULL;
CREATE INDEX cells_verdict ON cells (tenant, verdict, id) WHERE verdict IS NOT NULL;

CREATE TABLE findings (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  open_key TEXT,
  state TEXT,
  identity TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX findings_open_key ON findings (tenant, open_key) WHERE open_key IS NOT NULL;
CREATE INDEX findings_state ON findings (tenant, state, id) WHERE state IS NOT NULL;
CREATE INDEX findings_identity ON findings (tenant, identity, id) WHERE identity IS NOT NULL;

CREATE TABLE tasks (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  run TEXT,
  state TEXT,
  identity TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX tasks_run ON tasks (tenant, run, id) WHERE run IS NOT NULL;
CREATE INDEX tasks_state ON tasks (tenant, state, id) WHERE state IS NOT NULL;
CREATE INDEX tasks_identity ON tasks (tenant, identity, id) WHERE identity IS NOT NULL;

CREATE TABLE profiles (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE drills (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE automations (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE ties (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE readings (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE memberships (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  system TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX memberships_system ON memberships (tenant, system, id) WHERE system IS NOT NULL;

CREATE TABLE nested_groups (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  system TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX nested_groups_system ON nested_groups (tenant, system, id) WHERE system IS NOT NULL;

CREATE TABLE ledgers (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE callers (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  token_digest TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX callers_token_digest ON callers (tenant, token_digest) WHERE token_digest IS NOT NULL;

CREATE TABLE hooks (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE hints (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  integration TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX hints_integration ON hints (tenant, integration, id) WHERE integration IS NOT NULL;

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

CREATE TABLE sessions (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  secret_digest TEXT,
  operator TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX sessions_secret_digest ON sessions (tenant, secret_digest) WHERE secret_digest IS NOT NULL;
CREATE INDEX sessions_operator ON sessions (tenant, operator, id) WHERE operator IS NOT NULL;

CREATE TABLE signals (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  integration TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX signals_integration ON signals (tenant, integration, id) WHERE integration IS NOT NULL;

CREATE TABLE factors (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE scope_tests (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  integration TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX scope_tests_integration ON scope_tests (tenant, integration, id) WHERE integration IS NOT NULL;

CREATE TABLE exceptions (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  identity TEXT,
  state TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX exceptions_identity ON exceptions (tenant, identity, id) WHERE identity IS NOT NULL;
CREATE INDEX exceptions_state ON exceptions (tenant, state, id) WHERE state IS NOT NULL;

CREATE TABLE glass_cases (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE reviews (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  open_key TEXT,
  integration TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX reviews_open_key ON reviews (tenant, open_key) WHERE open_key IS NOT NULL;
CREATE INDEX reviews_integration ON reviews (tenant, integration, id) WHERE integration IS NOT NULL;

CREATE TABLE transfers (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  open_key TEXT,
  integration TEXT,
  state TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX transfers_open_key ON transfers (tenant, open_key) WHERE open_key IS NOT NULL;
CREATE INDEX transfers_integration ON transfers (tenant, integration, id) WHERE integration IS NOT NULL;
CREATE INDEX transfers_state ON transfers (tenant, state, id) WHERE state IS NOT NULL;

CREATE TABLE watches (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE terminations (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  open_key TEXT,
  identity TEXT,
  state TEXT,
  plan TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX terminations_open_key ON terminations (tenant, open_key) WHERE open_key IS NOT NULL;
CREATE INDEX terminations_identity ON terminations (tenant, identity, id) WHERE identity IS NOT NULL;
CREATE INDEX terminations_state ON terminations (tenant, state, id) WHERE state IS NOT NULL;
CREATE UNIQUE INDEX terminations_plan ON terminations (tenant, plan) WHERE plan IS NOT NULL;

CREATE TABLE audits (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE alignments (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  state TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX alignments_state ON alignments (tenant, state, id) WHERE state IS NOT NULL;

CREATE TABLE pushed_users (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  user_name TEXT,
  external TEXT,
  source TEXT,
  identity TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX pushed_users_user_name ON pushed_users (tenant, user_name) WHERE user_name IS NOT NULL;
CREATE INDEX pushed_users_external ON pushed_users (tenant, external, id) WHERE external IS NOT NULL;
CREATE INDEX pushed_users_source ON pushed_users (tenant, source, id) WHERE source IS NOT NULL;
CREATE INDEX pushed_users_identity ON pushed_users (tenant, identity, id) WHERE identity IS NOT NULL;

CREATE TABLE pushed_groups (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  display_name TEXT,
  external TEXT,
  source TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX pushed_groups_display_name ON pushed_groups (tenant, display_name, id) WHERE display_name IS NOT NULL;
CREATE INDEX pushed_groups_external ON pushed_groups (tenant, external, id) WHERE external IS NOT NULL;
CREATE INDEX pushed_groups_source ON pushed_groups (tenant, source, id) WHERE source IS NOT NULL;

CREATE TABLE pushed_members (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  group_id TEXT,
  member TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX pushed_members_group_id ON pushed_members (tenant, group_id, id) WHERE group_id IS NOT NULL;
CREATE INDEX pushed_members_member ON pushed_members (tenant, member, id) WHERE member IS NOT NULL;

-- Evidence: appended with the rows it explains; `idx` is the place in the published log.
CREATE TABLE evidence (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  idx INTEGER UNIQUE CHECK (idx >= 0),
  tenant TEXT NOT NULL,
  record TEXT NOT NULL UNIQUE,
  identity TEXT,
  case_id TEXT,
  bytes BLOB NOT NULL
) STRICT;
CREATE INDEX evidence_identity ON evidence (identity) WHERE identity IS NOT NULL;
CREATE INDEX evidence_case_id ON evidence (case_id) WHERE case_id IS NOT NULL;

-- Personal values that evidence commits to; erased without touching evidence.
CREATE TABLE disclosures (
  tenant TEXT NOT NULL,
  record TEXT NOT NULL,
  field TEXT NOT NULL,
  salt BLOB NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (tenant, record, field)
) STRICT, WITHOUT ROWID;

-- The end of the published log: at most one row. The sequencer's row is what sequencers queue on.
CREATE TABLE log_head (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  size INTEGER NOT NULL CHECK (size >= 0),
  root BLOB NOT NULL,
  checkpoint BLOB NOT NULL
) STRICT;
CREATE TABLE sequencer (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1)
) STRICT;
INSERT INTO sequencer (id) VALUES (1);

-- Work waits in lanes. A lane is there while it has items; its row names the first and who holds it.
CREATE TABLE work (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  lane TEXT NOT NULL,
  priority INTEGER NOT NULL,
  due INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX work_lane ON work (tenant, lane, seq);
CREATE TABLE lanes (
  tenant TEXT NOT NULL,
  lane TEXT NOT NULL,
  head INTEGER,
  priority INTEGER,
  ready INTEGER,
  holder TEXT,
  fence INTEGER NOT NULL,
  PRIMARY KEY (tenant, lane)
) STRICT;
CREATE INDEX lanes_order ON lanes (tenant, priority, head, ready);
CREATE INDEX lanes_ready ON lanes (tenant, ready);

CREATE TABLE locks (
  name TEXT NOT NULL PRIMARY KEY,
  holder TEXT NOT NULL,
  expires INTEGER NOT NULL,
  fence INTEGER NOT NULL
) STRICT;

CREATE TABLE reserved_names (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  salt BLOB NOT NULL,
  body BLOB NOT NULL,
  digest TEXT,
  identity TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX reserved_names_digest ON reserved_names (tenant, digest) WHERE digest IS NOT NULL;
CREATE INDEX reserved_names_identity ON reserved_names (tenant, identity, id) WHERE identity IS NOT NULL;
