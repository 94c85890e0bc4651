import type { Config } from '../config/config.ts';
import { fileUrl } from '../config/database-url.ts';
import { CorruptRow } from '../domain/oauth-error.ts';
import type { TrustedIssuer } from '../domain/trusted-issuer.ts';
import { readTrustedIssuer } from '../store/tables/columns.ts';
import { lookAtDatabase, type Rows } from './doctor/database-look.ts';

/** Seconds until everything that may have been used after the backup has expired. */
export interface RestoreWait {
  /** For proofs, nonces and assertions. */
  readonly always: number;
  /** Trusted issuers whose tokens count for longer, longest first. */
  readonly longer: readonly IssuerWait[];
}

interface IssuerWait {
  readonly issuer: string;
  readonly wait_seconds: number;
}

/** As in `verify-trusted-issuer-token.ts`, for issuers without `max_lifetime`. */
const defaultMaxLifetime = 86_400;

/** Maximum issuers that the text names. */
const maxNamed = 10;

const issuersAndPins = `select id, issuer, metadata, exists (
  select 1 from trust_rule where trusted_issuer_id = trusted_issuer.id
  and json_valid(trust_rule.metadata) and trust_rule.metadata->>'pin'
) from trusted_issuer order by issuer`;

/** Reads from this SQLite file how long tokens of its trusted issuers count. */
export async function readWait(file: string, config: Config): Promise<RestoreWait> {
  const always = waitWithoutIssuers(config);
  const look = await lookAtDatabase(fileUrl(file));
  try {
    const longer = issuerWaits((await look?.query(issuersAndPins)) ?? [], config)
      .filter((one) => one.wait_seconds > always)
      .toSorted((one, other) => other.wait_seconds - one.wait_seconds);
    return { always, longer };
  } finally {
    await look?.close();
  }
}

/** The longest of the waits. */
export function longestOf({ always, longer: [longest] }: RestoreWait): number {
  return longest?.wait_seconds ?? always;
}

/** Says how long to wait, why, and how to start earlier. */
export function describeWait(wait: RestoreWait): string {
  const { always, longer } = wait;
  const least = waitSentence(longestOf(wait));
  if (longer.length === 0) return `${least}.`;
  const named = longer
    .slice(0, maxNamed)
    .map(({ issuer, wait_seconds: seconds }) => `${issuer} (${seconds} seconds)`)
    .join(', ');
  const more = longer.length > maxNamed ? ` and ${longer.length - maxNamed} more` : '';
  return [
    `${least}: tokens of these trusted issuers that were used after the backup could count again`,
    `before that: ${named}${more}. ${otherwise(always)}`,
  ].join(' ');
}

/** How to start after so many seconds. */
function otherwise(seconds: number): string {
  return [
    `Or wait ${seconds} seconds, start while no client can reach the server, delete those trusted`,
    'issuers (and take them out of CONFIG_FILE), and register them again when their time is over.',
  ].join(' ');
}

/** The same for a database that is not read. */
export function describeUnreadWait(config: Config): string {
  const margin = 2 * config.clockTolerance;
  const least = Math.max(waitWithoutIssuers(config), config.idTokenMaxAge + margin);
  return [
    `${waitSentence(least)}, but longer if a trusted issuer is for id_jag or has a rule with pin:`,
    `its max_lifetime (${defaultMaxLifetime} seconds if absent) + ${margin} seconds.`,
    otherwise(least),
  ].join(' ');
}

function waitSentence(seconds: number): string {
  return `Wait ${seconds} seconds from the stop of the last replica before the first start`;
}

function waitWithoutIssuers(config: Config): number {
  const margin = 2 * config.clockTolerance;
  return Math.max(
    config.dpopProofMaxAge + 2 * config.dpopProofMaxFuture,
    3 * config.dpopNonceLifetime,
    config.assertionMaxLifetime + margin,
    config.cnfProofMaxLifetime + margin,
  );
}

function issuerWaits(rows: Rows, config: Config): readonly IssuerWait[] {
  return rows.flatMap(([id, issuer, metadata, pins]) => {
    const read = readOrNone(String(metadata), String(id));
    const lives = read === undefined ? 0 : acceptedFor(read, Number(pins) === 1, config);
    return { issuer: String(issuer), wait_seconds: lives + 2 * config.clockTolerance };
  });
}

/** The server does not accept tokens of an issuer whose row is damaged. */
function readOrNone(metadata: string, key: string) {
  try {
    return readTrustedIssuer(metadata, { table: 'trusted_issuer', key });
  } catch (error) {
    if (error instanceof CorruptRow) return undefined;
    throw error;
  }
}

/** Seconds for which a token that counts once, or for one key, is accepted. */
function acceptedFor(
  { purposes, max_lifetime: lifetime }: Pick<TrustedIssuer, 'purposes' | 'max_lifetime'>,
  pins: boolean,
  { idTokenMaxAge }: Config,
): number {
  const wholeLife = purposes.includes('id_jag') || (purposes.includes('workload') && pins);
  return Math.max(
    wholeLife ? (lifetime ?? defaultMaxLifetime) : 0,
    purposes.includes('id_token') ? Math.min(idTokenMaxAge, lifetime ?? idTokenMaxAge) : 0,
  );
}
