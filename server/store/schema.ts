/** "SALY" in ASCII: says that a SQLite file is ours. */
export const APPLICATION_ID = 0x53_41_4c_59

/** One step of the database's form; `PRAGMA user_version` holds the number of the last one done. */
export interface Migration {
  readonly version: number
  readonly sql: string
}

/**
 * The indexes of the audit journal are kept by runs of 1,024 records: all places where a new record is entered lie in the few pages
 * of the last run. An index over the whole journal would write a page of its own for each id and each serial number, most of what a
 * commit writes. Looking up costs one step for each run.
 *
 * Part of the published form: changed only together with a new step.
 */
export const AUDIT_RUN_RECORDS = 1024

/**
 * Every step from an empty file to the form of today, in order. A published step is never edited: a change is a new row.
 *
 * Objects are JSON in `body`, next to the columns that rules or people ask for; instants are milliseconds since 1970.
 */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
      -- The one row that every group of transactions updates: revision, head of the audit chain, and the outcomes of the
      -- last group, so that a writer that died after its commit can be answered for.
      CREATE TABLE state (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        epoch TEXT NOT NULL,
        file_identity TEXT NOT NULL,
        revision INTEGER NOT NULL,
        last_group INTEGER NOT NULL,
        last_outcomes TEXT NOT NULL,
        audit_sequence INTEGER NOT NULL,
        audit_hash BLOB NOT NULL,
        audit_start_sequence INTEGER NOT NULL,
        audit_start_hash BLOB NOT NULL
      ) STRICT;

      -- Rows in the order of creation, found by two narrow indexes: with the bodies in the order of random ids, every commit
      -- would write a page for each entry.
      CREATE TABLE entries (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        spiffe_id TEXT NOT NULL,
        parent_id TEXT NOT NULL,
        similarity BLOB NOT NULL UNIQUE,
        body TEXT NOT NULL
      ) STRICT;

      -- By number, so that the rows of a selector that many entries have grow at one end.
      CREATE TABLE entry_selectors (
        selector TEXT NOT NULL,
        entry_number INTEGER NOT NULL,
        PRIMARY KEY (selector, entry_number)
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE agents (
        spiffe_id TEXT PRIMARY KEY,
        revision_number INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        body TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE join_tokens (
        hash TEXT PRIMARY KEY,
        expires_at INTEGER NOT NULL,
        alias_id TEXT,
        address_range TEXT,
        spent_at INTEGER,
        spent_address TEXT
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX join_tokens_by_expiry ON join_tokens (expires_at);

      CREATE TABLE bundles (
        trust_domain TEXT PRIMARY KEY,
        sequence_number INTEGER NOT NULL,
        body TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE authorities (
        server_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        authority_id TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (server_id, kind, authority_id)
      ) STRICT, WITHOUT ROWID;

      -- changes: [[kind, key, before, after], ...]
      CREATE TABLE change_log (
        revision INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        changes TEXT NOT NULL
      ) STRICT;

      -- sequence: of the last record in the link; at: of its youngest record.
      CREATE TABLE audit_links (
        sequence INTEGER PRIMARY KEY,
        first_sequence INTEGER NOT NULL,
        at INTEGER NOT NULL,
        hash BLOB NOT NULL
      ) STRICT;

      CREATE TABLE audit_records (
        sequence INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        type TEXT NOT NULL,
        spiffe_id TEXT,
        serial_number TEXT,
        facts TEXT NOT NULL,
        link INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX audit_records_by_spiffe_id ON audit_records (spiffe_id) WHERE spiffe_id IS NOT NULL;
      CREATE INDEX audit_records_by_serial_number ON audit_records (serial_number) WHERE serial_number IS NOT NULL;
    `,
  },
  {
    version: 2,
    sql: `
      -- Policy revisions, their state, lifecycle objects and the fast lane; number: of the revision, of changes, or the sequence.
      CREATE TABLE documents (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        number INTEGER NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (kind, key)
      ) STRICT;
      CREATE INDEX documents_by_number ON documents (kind, number);

      -- Up to which batch the logs of agents are stored.
      CREATE TABLE decision_logs (
        agent TEXT NOT NULL,
        log_id TEXT NOT NULL,
        batch INTEGER NOT NULL,
        at INTEGER NOT NULL,
        dropped_records INTEGER NOT NULL,
        dropped_counters INTEGER NOT NULL,
        PRIMARY KEY (agent, log_id)
      ) STRICT, WITHOUT ROWID;

      -- facts: what a record is filtered by, as JSON.
      CREATE TABLE decision_records (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL,
        agent TEXT NOT NULL,
        log_id TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        at INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        facts TEXT NOT NULL,
        content TEXT NOT NULL,
        UNIQUE (agent, log_id, sequence)
      ) STRICT;
      CREATE INDEX decision_records_by_id ON decision_records (id);

      CREATE TABLE decision_counters (
        day INTEGER NOT NULL,
        agent TEXT NOT NULL,
        key TEXT NOT NULL,
        count INTEGER NOT NULL,
        first_at INTEGER NOT NULL,
        last_at INTEGER NOT NULL,
        facts TEXT NOT NULL,
        PRIMARY KEY (day, agent, key)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    version: 3,
    sql: `
      DROP INDEX audit_records_by_spiffe_id;
      DROP INDEX audit_records_by_serial_number;
      CREATE INDEX audit_records_by_spiffe_id ON audit_records (sequence / ${AUDIT_RUN_RECORDS}, spiffe_id) WHERE spiffe_id IS NOT NULL;
      CREATE INDEX audit_records_by_serial_number ON audit_records (sequence / ${AUDIT_RUN_RECORDS}, serial_number)
        WHERE serial_number IS NOT NULL;
    `,
  },
  {
    version: 4,
    sql: `
      -- How much is held of decisions ('record', 'counter'), so that nothing has to be counted where room is made: by workload of an
      -- agent, by agent, and in all. dropped: what had no room at workloads, and what went here to make room.
      CREATE TABLE decision_holders (
        number INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        agent TEXT NOT NULL,
        workload TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        items INTEGER NOT NULL,
        UNIQUE (kind, agent, workload)
      ) STRICT;
      CREATE INDEX decision_holders_by_bytes ON decision_holders (kind, agent, bytes);

      CREATE TABLE decision_agents (
        kind TEXT NOT NULL,
        agent TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        items INTEGER NOT NULL,
        PRIMARY KEY (kind, agent)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX decision_agents_by_bytes ON decision_agents (kind, bytes);

      CREATE TABLE decision_totals (
        kind TEXT PRIMARY KEY,
        bytes INTEGER NOT NULL,
        items INTEGER NOT NULL,
        dropped INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;

      -- bytes: with what indexes repeat, and about what else a row takes.
      ALTER TABLE decision_records ADD COLUMN holder INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE decision_records ADD COLUMN bytes INTEGER NOT NULL GENERATED ALWAYS AS
        (octet_length(content) + octet_length(facts) + 2 * octet_length(agent) + 256) VIRTUAL;
      ALTER TABLE decision_counters ADD COLUMN holder INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE decision_counters ADD COLUMN bytes INTEGER NOT NULL GENERATED ALWAYS AS
        (2 * octet_length(key) + octet_length(facts) + 2 * octet_length(agent) + 256) VIRTUAL;

      -- What is there already is held by its agent as a whole.
      INSERT INTO decision_holders (kind, agent, workload, bytes, items)
        SELECT 'record', agent, '', sum(bytes), count(*) FROM decision_records GROUP BY agent;
      INSERT INTO decision_holders (kind, agent, workload, bytes, items)
        SELECT 'counter', agent, '', sum(bytes), count(*) FROM decision_counters GROUP BY agent;
      UPDATE decision_records SET holder =
        (SELECT number FROM decision_holders AS h WHERE h.kind = 'record' AND h.agent = decision_records.agent);
      UPDATE decision_counters SET holder =
        (SELECT number FROM decision_holders AS h WHERE h.kind = 'counter' AND h.agent = decision_counters.agent);
      INSERT INTO decision_agents SELECT kind, agent, bytes, items FROM decision_holders;
      INSERT INTO decision_totals
        SELECT 'record', coalesce(sum(bytes), 0), count(*),
          (SELECT CAST(min(total(dropped_records), 9007199254740991) AS INTEGER) FROM decision_logs) FROM decision_records;
      INSERT INTO decision_totals
        SELECT 'counter', coalesce(sum(bytes), 0), count(*),
          (SELECT CAST(min(total(dropped_counters), 9007199254740991) AS INTEGER) FROM decision_logs) FROM decision_counters;
      ALTER TABLE decision_logs DROP COLUMN dropped_records;
      ALTER TABLE decision_logs DROP COLUMN dropped_counters;
      CREATE INDEX decision_records_by_holder ON decision_records (holder);
      CREATE INDEX decision_counters_by_holder ON decision_counters (holder, day);
    `,
  },
]
