// The turns of Spark's gate that its database tells: backups, WAL, its pool and what runs in it.
import { archiveBy } from './spark.ts';
import { files, type SparkTurn, turn } from './spark-parts.ts';

/** One statement, and one that takes it back. */
const sql = (
  name: string,
  [statement, back]: readonly [string, string],
  turns: SparkTurn['turns'],
): SparkTurn => ({
  name,
  alter: async ({ postgres }) => {
    await postgres.query(statement);
    return async () => void (await postgres.query(back));
  },
  turns,
  decision: 'review',
});

const since = (column: string, ago: string) =>
  `UPDATE backup_status SET ${column} = now() - interval '${ago}'`;

export const ROLLBACK: readonly SparkTurn[] = [
  turn(
    '4. the restore runbook has a gap',
    files({ 'scripts/runbook-db-restore.md': '# Restore\n\nTODO: the order of steps\n' }),
    { restore_runbook: 'contains "TODO"' },
  ),
  sql(
    '4. point-in-time recovery was tested 8 days ago',
    [since('last_pitr_test', '8 days'), since('last_pitr_test', '2 days')],
    { pitr_tested: 'at most 7d wanted' },
  ),
  turn('4. there is no rollback script', files({ 'scripts/rollback.sh': null }), {
    rollback_script: 'scripts/rollback.sh is missing',
  }),
  sql(
    '4. the last backup is 25 hours old',
    [since('last_backup', '25 hours'), since('last_backup', '3 hours')],
    { backup_age: 'below 24h wanted' },
  ),
  {
    ...sql(
      '4. the last backup is dated a month ahead',
      [since('last_backup', '-30 days'), since('last_backup', '3 hours')],
      { backup_age: 'in the future' },
    ),
    outcome: 'unknown',
  },
];

const WARNING = "('WARNING', 'the backup is late')";

export const DATABASE: readonly SparkTurn[] = [
  sql(
    '7. there is a backup alert',
    [
      `INSERT INTO backup_alerts VALUES ${WARNING}`,
      "DELETE FROM backup_alerts WHERE severity = 'WARNING'",
    ],
    { backup_alerts: 'severity WARNING, message the backup is late' },
  ),
  {
    name: '7. archiving of the WAL fails',
    alter: async ({ postgres }) => {
      await archiveBy(postgres, 'false');
      return () => archiveBy(postgres, 'true');
    },
    turns: { wal_archiving: '0, equals 1 wanted' },
    decision: 'review',
  },
  {
    name: '7. PgBouncer uses 16 of 20 connections',
    alter: async ({ own }) => {
      const set = (connections: number) =>
        own.pool.setPools([{ name: 'spark_trading', size: 20, connections }]);
      set(16);
      return async () => set(12);
    },
    turns: { pool_use: '80 %, below 80% wanted' },
    decision: 'review',
  },
  {
    name: '7. nothing archives the WAL any more',
    alter: async ({ postgres }) => {
      const set = async (command: string) => {
        await postgres.query(`ALTER SYSTEM SET archive_command = '${command}'`);
        await postgres.query('SELECT pg_reload_conf()');
      };
      await set('');
      return () => archiveBy(postgres, 'true');
    },
    turns: { wal_archiving: '0, equals 1 wanted' },
    decision: 'review',
  },
  sql(
    '7. the role of the gate may not see what others run',
    ['REVOKE pg_read_all_stats FROM canary_gate', 'GRANT pg_read_all_stats TO canary_gate'],
    { long_queries: 'missing GRANT pg_read_all_stats TO canary_gate' },
  ),
  sql(
    '7. a query runs for 6 minutes',
    [
      "UPDATE old_queries SET query_start = now() - interval '6 minutes'",
      "UPDATE old_queries SET query_start = now() - interval '1 minute'",
    ],
    { long_queries: '1 row, none wanted: pid 4711, runs 00:06:0' },
  ),
];
