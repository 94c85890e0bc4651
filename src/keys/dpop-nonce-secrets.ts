import { randomBytes } from 'node:crypto';
import type { AuditEvent } from '../domain/audit-event.ts';
import type { Clock } from '../domain/clock.ts';
import type { NonceSecretStore } from '../ports/nonce-secret-store.ts';
import { nonceSecretName, type SharedSecretStore } from '../ports/signing-key-store.ts';
import type { NonceSecret } from '../protocol/possession/dpop-nonce.ts';
import { type KeyEncryption, placeOfSecret } from './key-encryption.ts';

/** The state of a nonce secret, without the secret. Times in milliseconds since the epoch. */
export interface NonceSecretWithState {
  readonly state: 'announced' | 'active' | 'retired';
  readonly activeAt: number;
  readonly retiredAt?: number;
}

/** The secrets behind the server's nonces, shared by all replicas through the store. */
export interface DpopNonceSecrets {
  /** As last read from the store, oldest first; does not use the store. */
  current(): readonly NonceSecret[];
  /** Reads the store again for changes by other replicas, and announces a successor if due. */
  refresh(): Promise<void>;
  /** Every secret whose nonces are still valid, and possibly the last one whose nonces are not. */
  list(): Promise<readonly NonceSecretWithState[]>;
  /** Replaces all secrets with a new one, so that every earlier nonce becomes invalid. */
  replace(): Promise<void>;
}

/** Times in seconds. */
export interface DpopNonceSecretsOptions {
  readonly secrets: SharedSecretStore;
  readonly nonceSecrets: NonceSecretStore;
  readonly encryption: KeyEncryption;
  readonly clock: Clock;
  /** The database's time, in seconds since the epoch: one wrong clock must not retire a secret. */
  readonly databaseSeconds: () => Promise<number>;
  /** How long a secret issues nonces before its successor does. */
  readonly dpopNonceSecretRotationInterval: number;
  /** The minimum time for which a nonce is valid. */
  readonly dpopNonceLifetime: number;
  /** Notifies the other processes on this machine of a change before it is reported as done. */
  readonly changed: () => Promise<void>;
}

/**
 * Milliseconds before its use at which a successor is announced, if the interval is long enough, so
 * that even a replica that could not reach the store for a while has read it.
 */
const longestAnnouncement = 3_600_000;

/**
 * Reads the secrets, and creates the first; only one of several replicas does. Throws
 * KeyEncryptionError if they cannot be opened.
 */
export async function dpopNonceSecrets(
  options: DpopNonceSecretsOptions,
): Promise<DpopNonceSecrets> {
  const { clock } = options;
  const { current, read, replaced } = sealedList(options);
  const rotationInterval = options.dpopNonceSecretRotationInterval * 1000;
  const announcement = Math.min(longestAnnouncement, rotationInterval / 2);
  const stillCounts = (until: number | undefined, now: number) =>
    until === undefined || until + 3 * options.dpopNonceLifetime * 1000 > now;

  await read();
  return {
    current,
    async refresh() {
      const reading = await read();
      const { list } = reading;
      const latest = list.at(-1)?.from ?? 0;
      const isDue = (at: number) => latest + rotationInterval - announcement <= at;
      if (!isDue(clock())) return;
      const now = (await options.databaseSeconds()) * 1000;
      if (!isDue(now)) return;
      // A secret from before rotation: replicas of that version know no other, so they get a whole
      // interval to be upgraded.
      const from =
        latest === 0
          ? now + rotationInterval
          : Math.max(latest + rotationInterval, now + announcement);
      const kept = list.filter((_, index) => stillCounts(list[index + 1]?.from, now));
      await replaced(reading, [...kept, newSecret(from)], {
        type: 'dpop_nonce_secret_announced',
        actor: 'server',
      });
      await read();
    },
    list: async () => inLife((await read()).list, clock()),
    async replace() {
      const event = { type: 'dpop_nonce_secret_replaced', actor: 'admin' } as const;
      let reading = await read();
      while (!(await replaced(reading, [newSecret(clock())], event))) {
        const { list } = reading;
        reading = await read();
        // Another call did the same, or a successor was announced, or the value was sealed again.
        if (!reading.list.some(({ secret }) => list.some((before) => before.secret.equals(secret))))
          break;
      }
      await read();
      await options.changed();
    },
  };
}

interface PolledReading {
  readonly sealed: string;
  readonly list: readonly NonceSecret[];
}

/** The list of the secrets, which the store keeps as one sealed value. */
function sealedList({ secrets, nonceSecrets, encryption, clock }: DpopNonceSecretsOptions) {
  let known: PolledReading = { sealed: '', list: [] };
  let [begun, applied] = [0, 0];

  const place = placeOfSecret(nonceSecretName);
  const seal = async (list: readonly NonceSecret[]) =>
    encryption.seal(written(list), await encryption.inForce(), place);
  const read = async () => {
    const mine = ++begun;
    const sealed =
      (await secrets.getSecret(nonceSecretName)) ??
      (await secrets.putSecretOnce(nonceSecretName, await seal([newSecret(clock())])));
    const reading =
      sealed === known.sealed
        ? known
        : { sealed, list: opened(await encryption.open(sealed, place)) };
    // A reading that began earlier and finishes later must not bring back what has been replaced.
    if (mine > applied) [known, applied] = [reading, mine];
    return reading;
  };
  // Reads before sealing, so that a value sealed again in between is noticed.
  const replaced = async (
    { sealed }: PolledReading,
    list: readonly NonceSecret[],
    event: Pick<AuditEvent, 'type' | 'actor'>,
  ) =>
    nonceSecrets.replaceNonceSecrets(sealed, await seal(list), {
      ...event,
      detail: { active_at: list.at(-1)?.from },
    });
  return { current: () => known.list, read, replaced };
}

function inLife(list: readonly NonceSecret[], now: number): readonly NonceSecretWithState[] {
  return list.map(({ from }, index) => {
    const retiredAt = list[index + 1]?.from;
    const state =
      retiredAt !== undefined && retiredAt <= now
        ? 'retired'
        : from <= now || index === 0
          ? 'active'
          : 'announced';
    return { state, activeAt: from, ...(retiredAt !== undefined && { retiredAt }) };
  });
}

const newSecret = (from: number): NonceSecret => ({ secret: randomBytes(32), from });

function written(list: readonly NonceSecret[]): string {
  return JSON.stringify(
    list.map(({ secret, from }) => ({ secret: secret.toString('base64url'), from })),
  );
}

/** Before rotation existed, the value was a single secret: base64url of 32 bytes. */
function opened(text: string): readonly NonceSecret[] {
  const list = text.startsWith('[')
    ? (JSON.parse(text) as readonly { readonly secret: string; readonly from: number }[])
    : [{ secret: text, from: 0 }];
  return list.map(({ secret, from }) => ({ secret: Buffer.from(secret, 'base64url'), from }));
}
