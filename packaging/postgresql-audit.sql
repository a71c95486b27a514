-- PostgreSQL's own log as an audit log of its roles. An administrator runs this once, as superuser, in the database that
-- the integration signs in to (psql -v ON_ERROR_STOP=1 -f postgresql-audit.sql), and then lets the roles read that the
-- hub reads with:
--
--   GRANT USAGE ON SCHEMA bailiwick TO bailiwick_read;
--   GRANT EXECUTE ON FUNCTION bailiwick.audit(text, text, integer) TO bailiwick_read;
--
-- It needs PostgreSQL 15 or later, a database in UTF8, and in postgresql.conf:
--
--   logging_collector = on
--   log_destination = 'jsonlog'                          # or 'stderr,jsonlog'
--   log_statement = 'ddl'
--   log_timezone = 'UTC'                                 # names of files and instants that nothing makes ambiguous
--   log_filename = 'postgresql-%Y-%m-%d_%H%M%S.log'      # the default: a name is never used again
--
-- Where the library pgaudit is loaded, with `pgaudit.log = 'role'`, it is read too, and may stand in for `log_statement`.
--
-- Nothing of a statement leaves the server but which of a few deeds it is and the role that it names. The role that owns
-- what is here reads the log and nothing else: `pg_read_binary_file` lets nobody who is not in `pg_read_server_files` out
-- of the server's own folders.

BEGIN;

CREATE ROLE bailiwick_log NOLOGIN IN ROLE pg_monitor;
CREATE SCHEMA bailiwick;
GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO bailiwick_log;

-- What a statement has that may be about roles.
CREATE FUNCTION bailiwick.about_roles()
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $about$
  SELECT '\m(create|alter|drop|comment)\M.*\m(role|user|group)\M|\m(grant|revoke)\M'
$about$;

-- What a statement, or several, does to roles: a row for each deed and role. `role` is nothing where it cannot be told
-- for certain whom it is about; `since` is the name that it has from then on, if it is there.
CREATE FUNCTION bailiwick.deeds(statement text, OUT deed text, OUT role text, OUT since text)
RETURNS SETOF record LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $deeds$
DECLARE
  outside text := regexp_replace(statement, $re$'(?:[^']|'')*'|"(?:[^"]|"")*"$re$, '', 'g');
  kinds text[] := '{}';    -- of each word of one statement: n a name in quotes, w a word, o anything else
  words text[] := '{}';
  token text[];
  names text[];
  at int;
BEGIN
  IF statement !~* bailiwick.about_roles() THEN
    RETURN;
  END IF;
  -- Comments, dollar quotes, escapes: what may hide where a word begins is not read at all.
  IF outside ~ $re$['"]|--|/\*|\$([A-Za-z_][A-Za-z0-9_]*)?\$$re$ OR statement ~ $re$\\|[uU]&['"]$re$ THEN
    deed := 'not understood';
    RETURN NEXT;
    RETURN;
  END IF;
  FOR token IN
    SELECT regexp_matches(statement || ';',
      $re$('(?:[^']|'')*')|("(?:[^"]|"")*")|([A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*)|([0-9.]+|\S)$re$, 'g')
  LOOP
    IF token[4] IS DISTINCT FROM ';' THEN
      kinds := kinds || CASE WHEN token[2] IS NOT NULL THEN 'n' WHEN token[3] IS NOT NULL THEN 'w' ELSE 'o' END;
      words := words || coalesce(replace(substr(token[2], 2, length(token[2]) - 2), '""', '"'),
                                 lower(token[3] COLLATE "C"), token[4], '');
      CONTINUE;
    END IF;
    -- The end of a statement. Only words without quotes are keywords.
    deed := NULL; role := NULL; since := NULL;
    names := ARRAY(SELECT CASE k WHEN 'w' THEN w END FROM unnest(kinds, words) AS t (k, w));
    IF names[1] IN ('create', 'alter', 'drop') AND names[2] IN ('role', 'user', 'group')
       AND (names[2], names[3], coalesce(names[4], '')) NOT IN (('user', 'mapping', 'for'), ('user', 'mapping', 'if')) THEN
      deed := upper(names[1]) || ' ROLE';
      IF names[1] = 'drop' THEN
        at := CASE WHEN names[3] = 'if' AND names[4] = 'exists' THEN 5 ELSE 3 END;
        FOREACH role IN ARRAY bailiwick.names_at(kinds, words, at) LOOP
          RETURN NEXT;
        END LOOP;
      ELSIF names[2] = 'group' AND names[4] IN ('add', 'drop') AND names[5] = 'user' THEN
        deed := CASE names[4] WHEN 'add' THEN 'GRANT' ELSE 'REVOKE' END;
        FOREACH role IN ARRAY bailiwick.names_at(kinds, words, 6) LOOP
          since := role;
          RETURN NEXT;
        END LOOP;
      ELSE
        role := bailiwick.name_at(kinds, words, 3);
        since := role;
        IF names[1] = 'alter' AND names[4] = 'rename' AND names[5] = 'to' THEN
          since := bailiwick.name_at(kinds, words, 6);
        END IF;
        RETURN NEXT;
      END IF;
    ELSIF names[1] = 'comment' AND names[2] = 'on' AND names[3] = 'role' THEN
      deed := 'COMMENT ON ROLE';
      role := bailiwick.name_at(kinds, words, 4);
      since := role;
      RETURN NEXT;
    -- Rights on objects are nothing that an account is or is in.
    ELSIF names[1] IN ('grant', 'revoke') AND array_position(names, 'on') IS NULL THEN
      deed := upper(names[1]);
      at := array_position(names, CASE names[1] WHEN 'grant' THEN 'to' ELSE 'from' END);
      FOREACH role IN ARRAY bailiwick.names_at(kinds, words, at + 1) LOOP
        since := role;
        RETURN NEXT;
      END LOOP;
    END IF;
    kinds := '{}';
    words := '{}';
  END LOOP;
END
$deeds$;

-- The name of a role at a place; nothing where there is none, or it depends on who says it.
CREATE FUNCTION bailiwick.name_at(kinds text[], words text[], at int)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $name$
  SELECT CASE WHEN kinds[at] = 'n' OR (kinds[at] = 'w' AND words[at] NOT IN
                   ('all', 'public', 'none', 'current_user', 'current_role', 'session_user')) THEN words[at] END
$name$;

-- The names from a place on, as far as commas go; one that is nothing for each that is no name.
CREATE FUNCTION bailiwick.names_at(kinds text[], words text[], at int)
RETURNS text[] LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $names$
DECLARE
  names text[] := ARRAY[bailiwick.name_at(kinds, words, at)];
BEGIN
  WHILE kinds[at + 1] = 'o' AND words[at + 1] = ',' LOOP
    at := at + 2;
    names := names || bailiwick.name_at(kinds, words, at);
  END LOOP;
  RETURN names;
END
$names$;

-- The statement that a message says was executed: the server's, or one of pgaudit's, in which it is a field of CSV. What
-- somebody has the server say by `RAISE` has a context that begins there.
CREATE FUNCTION bailiwick.executed(message text, context text)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $executed$
  SELECT CASE WHEN context IS NULL OR context ~ '^SQL (statement|function) "'
              THEN coalesce(substring(message FROM '^(?:statement|execute [^:]*): (.*)$'), field[1], replace(field[2], '""', '"')) END
  FROM (SELECT regexp_match(message, '^AUDIT: [A-Z]+,[0-9]+,[0-9]+,[A-Z]+,[^,]*,[^,]*,[^,]*,(?:([^",]*)|"((?:[^"]|"")*)"),')) m (field)
$executed$;

-- A line as it was written. One that is not UTF8 is of a database that is not; its names are nobody's.
CREATE FUNCTION bailiwick.line(bytes text)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $line$
BEGIN
  RETURN convert_from(convert_to(bytes, 'LATIN1'), 'UTF8')::jsonb;
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
  RETURN bytes::jsonb;
END
$line$;

-- How far the log says nothing of roles.
CREATE FUNCTION bailiwick.nothing(file text, place bigint, since text, OUT mark text, OUT at text, OUT actor text,
                                  OUT deed text, OUT account text, OUT name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $nothing$
  SELECT file || '/' || place, to_char(since::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '-', '-', NULL, NULL
$nothing$;

-- What the log has after a mark, or without one what was done since an instant: the oldest first, about `most` rows. A
-- mark is the name of a file and the place in it where the next line begins. Where the log goes on for long, or in another
-- file, and says nothing of roles, a row says nothing but how far: so a mark is in a file that is new, and old ones can go.
CREATE FUNCTION bailiwick.audit(after text, since text, most integer, OUT mark text, OUT at text, OUT actor text,
                                OUT deed text, OUT account text, OUT name text)
RETURNS SETOF record LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $audit$
DECLARE
  folder text := current_setting('log_directory');
  begins timestamptz := since::timestamptz;
  file text := substring(after FROM '^(.+)/[0-9]+$');
  place bigint := coalesce(substring(after FROM '/([0-9]+)$')::bigint, 0);
  rest bigint := 32 << 20;    -- what one call reads
  step bigint := 4 << 20;     -- what is read at a time
  shown int := 0;
  known record;
  piece bytea;
  lines text;
  whole int;
  marked text := file;        -- in which file the last mark is
  begun text;                 -- when the first line of the file was written
  told record;
  done record;
BEGIN
  IF current_setting('server_version_num')::int < 150000 THEN
    RAISE EXCEPTION 'the server is older than PostgreSQL 15 and writes no log as JSON' USING ERRCODE = 'feature_not_supported';
  ELSIF getdatabaseencoding() <> 'UTF8' THEN
    RAISE EXCEPTION 'the database is not in UTF8' USING ERRCODE = 'feature_not_supported';
  ELSIF current_setting('logging_collector') <> 'on' OR current_setting('log_destination') !~ '\mjsonlog\M'
     OR (current_setting('log_statement') = 'none' AND coalesce(current_setting('pgaudit.log', true), '') !~* '\m(role|all)\M')
     OR current_setting('log_timezone') !~ '^(Etc/)?(UTC|GMT)$'
     OR current_setting('log_filename') !~ '^[^%]*%Y[^%]*%m[^%]*%d' THEN
    RAISE EXCEPTION 'logging_collector, log_destination, log_statement, log_timezone or log_filename are not as they are to be'
      USING ERRCODE = 'feature_not_supported';
  ELSIF after IS NOT NULL AND NOT EXISTS (SELECT FROM pg_ls_logdir() f WHERE f.name = file AND f.size >= place) THEN
    RAISE EXCEPTION 'the log is gone from where the last entry was that is known, `%`', after USING ERRCODE = 'no_data_found';
  END IF;
  FOR known IN
    SELECT f.name, f.size FROM pg_ls_logdir() f
    WHERE f.name ~ '\.json$' AND CASE WHEN after IS NULL THEN begins IS NULL OR f.modification >= date_trunc('second', begins)
                                      ELSE f.name COLLATE "C" >= file END
    ORDER BY f.name COLLATE "C"
  LOOP
    IF known.name IS DISTINCT FROM file THEN
      place := 0;
    END IF;
    begun := NULL;
    WHILE place < known.size LOOP
      piece := pg_read_binary_file(folder || '/' || known.name, place, least(step, known.size - place), true);
      IF piece IS NULL THEN
        RAISE EXCEPTION 'the log is gone while it was read: `%`', known.name USING ERRCODE = 'no_data_found';
      END IF;
      -- A character for each byte, so that places are right.
      lines := convert_from(piece, 'LATIN1');
      whole := length(lines) - coalesce(nullif(strpos(reverse(lines), E'\n'), 0) - 1, length(lines));
      IF whole = 0 THEN
        -- Nothing but the beginning of a line: it is longer, or not all of it is written yet.
        EXIT WHEN length(lines) < step;
        step := step * 2;
        CONTINUE;
      END IF;
      begun := coalesce(begun, substring(lines FROM '"timestamp":"([^"]*)"'));
      FOR told IN
        WITH split AS (
          SELECT l.line, l.n, place + sum(length(l.line) + 1) OVER (ORDER BY l.n) AS ends
          FROM string_to_table(left(lines, whole - 1), E'\n') WITH ORDINALITY l (line, n)
        ), read AS MATERIALIZED (
          SELECT s.n, s.ends, l.line ->> 'timestamp' AS time, l.line ->> 'user' AS who, l.line ->> 'error_severity' AS severity,
                 l.line ->> 'session_id' AS session, l.line ->> 'vxid' AS transaction, l.line ->> 'statement' AS statement,
                 l.line ->> 'context' AS context, l.line ->> 'message' AS message,
                 bailiwick.executed(l.line ->> 'message', l.line ->> 'context') AS executed
          FROM split s, LATERAL (SELECT bailiwick.line(s.line) AS line OFFSET 0) l
          WHERE s.line LIKE '%"message":"statement: %' OR s.line LIKE '%"message":"execute %'
             OR s.line LIKE '%"message":"AUDIT: %' OR s.line LIKE '%"message":"bailiwick: %' OR s.line LIKE '%"error_severity":"ERROR"%'
        ), refused AS MATERIALIZED (
          SELECT * FROM read r WHERE r.severity = 'ERROR'
        ), own AS MATERIALIZED (
          SELECT * FROM read r WHERE r.message LIKE 'bailiwick: %'
        )
        SELECT r.ends, r.time::timestamptz AS time, r.who, r.message, r.executed,
               ARRAY(SELECT substring(o.message FROM '^bailiwick: [a-z-]+ [0-9]+ (.*)$') FROM own o
                     WHERE o.session = r.session AND o.transaction = r.transaction) AS own
        FROM read r
        WHERE r.severity = 'LOG' AND (r.executed ~* bailiwick.about_roles() OR r.message ~ '^bailiwick: [a-z-]+ [0-9]+ ')
          -- What the server refused was not done.
          AND NOT EXISTS (SELECT FROM refused e WHERE e.session = r.session AND e.transaction = r.transaction AND e.n > r.n
                          AND (e.statement = r.executed OR strpos(e.context, 'SQL statement "' || r.executed || '"') > 0))
        ORDER BY r.n
      LOOP
        CONTINUE WHEN told.time < begins;
        mark := known.name || '/' || told.ends;
        at := to_char(told.time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
        actor := told.who;
        FOR done IN
          SELECT d.deed, d.role, (SELECT r.oid::text FROM pg_roles r WHERE r.rolname::text = d.since) AS id
          FROM bailiwick.deeds(told.executed) d
          UNION ALL
          SELECT own[1], NULL, own[2] FROM regexp_match(told.message, '^bailiwick: ([a-z-]+) ([0-9]+) ') own WHERE own IS NOT NULL
        LOOP
          -- A role that is gone, by a statement of the hub's that says its oid.
          CONTINUE WHEN done.id IS NULL AND done.role = ANY (told.own);
          deed := done.deed;
          account := done.id;
          name := CASE WHEN account IS NULL THEN done.role END;
          marked := known.name;
          shown := shown + 1;
          RETURN NEXT;
        END LOOP;
        IF shown >= most THEN
          RETURN;
        END IF;
      END LOOP;
      place := place + whole;
      rest := rest - whole;
      IF rest <= 0 THEN
        RETURN QUERY SELECT * FROM bailiwick.nothing(known.name, place, substring(substring(left(lines, whole - 1)
                                                     FROM '[^\n]*$') FROM '"timestamp":"([^"]*)"'));
        RETURN;
      END IF;
    END LOOP;
    file := known.name;
  END LOOP;
  IF file IS DISTINCT FROM marked AND begun IS NOT NULL THEN
    RETURN QUERY SELECT * FROM bailiwick.nothing(file, 0, begun);
  END IF;
END
$audit$;

ALTER FUNCTION bailiwick.audit OWNER TO bailiwick_log;
GRANT USAGE ON SCHEMA bailiwick TO bailiwick_log;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA bailiwick FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA bailiwick TO bailiwick_log;

COMMIT;
