import type { Config } from '../config/config.ts';
import type { Clock } from '../domain/clock.ts';
import {
  type DpopNonceSecrets,
  type DpopNonceSecretsOptions,
  dpopNonceSecrets,
} from '../keys/dpop-nonce-secrets.ts';
import type { KeyEncryption } from '../keys/key-encryption.ts';
import { type SigningKeys, signingKeys } from '../keys/signing-keys.ts';
import type { Peers } from '../ports/peers.ts';
import type { SigningKeyStore } from '../ports/signing-key-store.ts';
import {
  assertionAlg,
  assertionLifetime,
} from '../protocol/gateway/forwarded-request-assertion.ts';

/** The stores of the keys, and the encryption that opens them. */
export interface ServerKeysOptions
  extends Pick<DpopNonceSecretsOptions, 'secrets' | 'nonceSecrets' | 'databaseSeconds'> {
  readonly config: Config;
  readonly signingKeys: SigningKeyStore;
  readonly encryption: KeyEncryption;
  readonly clock: Clock;
  readonly peers: Pick<Peers, 'invalidate'>;
}

/** Keys for signing and nonces, the same on all replicas. */
export interface ServerKeys {
  readonly signingKeys: SigningKeys;
  /** Keys that sign assertions for upstreams; empty until there is a gateway listener. */
  readonly gatewayKeys: SigningKeys;
  readonly nonceSecrets: DpopNonceSecrets;
}

/**
 * Reads the keys of the server, and creates the first ones. Throws KeyEncryptionError if no stored
 * key can be opened.
 */
export async function serverKeys(options: ServerKeysOptions): Promise<ServerKeys> {
  const { config, secrets, encryption, clock, peers } = options;
  const nonceSecrets = await dpopNonceSecrets({
    ...config,
    secrets,
    nonceSecrets: options.nonceSecrets,
    encryption,
    clock,
    databaseSeconds: options.databaseSeconds,
    changed: peers.invalidate,
  });
  // Even without tolerance, another replica publishes a new key only after reading it.
  const margin = Math.max(config.clockTolerance, 5);
  const shared = {
    store: options.signingKeys,
    encryption,
    clock,
    rotationInterval: config.signingKeyRotationInterval * 1000,
    scheduledAnnouncement: config.signingKeyAnnouncement * 1000,
    announcement: (config.jwksMaxAge + margin) * 1000,
    changed: peers.invalidate,
  };
  const issued = Math.max(config.accessTokenMaxLifetime, config.statusListMaxAge);
  const keys = await signingKeys({
    ...shared,
    purpose: 'issuer',
    published: (issued + margin) * 1000,
  });
  await keys.ensure('ES256');
  const gatewayKeys = await signingKeys({
    ...shared,
    purpose: 'gateway',
    published: (assertionLifetime + margin) * 1000,
  });
  if (config.gateway !== undefined) await gatewayKeys.ensure(assertionAlg);
  return { signingKeys: keys, gatewayKeys, nonceSecrets };
}
