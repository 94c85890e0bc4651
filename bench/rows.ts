import { PrismaPg } from '@prisma/adapter-pg';
import { Redis } from 'ioredis';
import SqliteDatabase from 'libsql';
import { clientName } from './workloads.ts';

/** Rows a statement. */
const batch = 100_000;

/** Runs SQL on a database that a server has open. */
interface Connection {
  run(sql: string): Promise<void>;
  close(): Promise<void>;
}

async function connected(
  url: string,
): Promise<
  Connection & { readonly numbers: (from: number, to: number) => string; readonly random: string }
> {
  if (url.startsWith('file:')) {
    const database = new SqliteDatabase(url.slice('file:'.length));
    // Fast to fill; the server's own connections keep their settings.
    for (const pragma of ['busy_timeout = 60000', 'synchronous = OFF', 'cache_size = -400000'])
      database.exec(`pragma ${pragma}`);
    return {
      numbers: (from, to) =>
        `(with recursive series(n) as (values (${from}) union all select n + 1 from series where n < ${to}) select n from series)`,
      random: 'lower(hex(randomblob(18)))',
      run: async (sql) => void database.exec(sql),
      close: async () => void database.close(),
    };
  }
  const database = await new PrismaPg({ connectionString: url }).connect();
  return {
    numbers: (from, to) => `(select n from generate_series(${from}, ${to}) as series(n))`,
    random: "substr(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 1, 36)",
    run: async (sql) => database.executeScript(sql),
    close: async () => database.dispose(),
  };
}

/** How many rows, beside those of the small case. */
export interface Rows {
  readonly clients: number;
  readonly replay: number;
}

/**
 * Registers clients like `basic` and makes replay records by SQL in batches. The records are valid
 * for an hour and spread evenly over the server's keys, in key order to fill the index faster.
 */
export async function fillDatabase(url: string, rows: Rows): Promise<void> {
  const { run, close, numbers, random } = await connected(url);
  const each = async (count: number, statement: (from: number, to: number) => string) => {
    for (let from = 1; from <= count; from += batch)
      await run(statement(from, Math.min(from + batch - 1, count)));
  };
  const long = Date.now() - 1e10;
  await each(
    rows.clients,
    (from, to) =>
      `insert into client (client_id, client_name, metadata, secrets, version, created_at, updated_at) select '${clientName(0).slice(0, -1)}' || n, '', metadata, secrets, 1, ${long}, ${long} from client cross join ${numbers(from, to)} as added where client_id = 'basic'`,
  );
  const hour = Math.floor(Date.now() / 1000) + 3600;
  await each(
    rows.replay,
    (from, to) =>
      `insert into replay_record (key, expires_at) select ${prefix(`(n * ${(64 ** 4 / (rows.replay + 1)).toFixed(6)})`, url)} || ${random}, ${hour} + n % 300 from ${numbers(from, to)} as added`,
  );
  await run(
    url.startsWith('file:')
      ? 'pragma optimize; pragma wal_checkpoint(truncate)'
      : 'vacuum analyze client',
  );
  if (!url.startsWith('file:'))
    for (const sql of ['vacuum analyze replay_record', 'checkpoint']) await run(sql);
  await close();
}

/** base64url digits in ASCII order, for a prefix that rises with a number below 64⁴. */
const digits = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';

function prefix(number: string, url: string): string {
  const whole = `cast(${url.startsWith('file:') ? number : `floor(${number})`} as ${url.startsWith('file:') ? 'integer' : 'bigint'})`;
  return [64 ** 3, 64 ** 2, 64, 1]
    .map((unit) => `substr('${digits}', cast(${whole} / ${unit} % 64 as integer) + 1, 1)`)
    .join(' || ');
}

const fill = `for n = tonumber(ARGV[2]), tonumber(ARGV[3]) do redis.call('set', ARGV[1] .. n, '1', 'PX', 3600000) end`;
const empty = `for n = tonumber(ARGV[2]), tonumber(ARGV[3]) do redis.call('unlink', ARGV[1] .. n) end`;

/** Makes records in Redis under keys as long as the server's; returns the bytes that they take. */
export async function fillRedis(
  url: string,
  count: number,
): Promise<{ readonly bytes: number; remove(): Promise<void> }> {
  const redis = new Redis(url);
  const used = async () => Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1] ?? 0);
  const key = `holdfast:${'b'.repeat(22)}:replay:${'b'.repeat(34)}:`;
  const each = async (script: string) => {
    for (let from = 1; from <= count; from += 20_000)
      await redis.eval(script, 0, key, from, Math.min(from + 19_999, count));
  };
  const before = await used();
  await each(fill);
  return {
    bytes: (await used()) - before,
    async remove() {
      await each(empty);
      redis.disconnect();
    },
  };
}
