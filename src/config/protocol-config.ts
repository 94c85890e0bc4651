import { type SigningAlgorithm, signingAlgorithms } from '../jose/algorithms.ts';
import type { EnvironmentReader } from './environment.ts';

/** Algorithms and lifetimes of the protocol. Times in seconds. */
export type ProtocolConfig = Readonly<ReturnType<typeof readProtocolConfig>>;

// Without RS256: PKCS #1 v1.5 is for old clients only, and an operator can add it for them.
const defaultAlgs: readonly SigningAlgorithm[] = [
  'ES256',
  'ES384',
  'PS256',
  'EdDSA',
  'Ed25519',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
];

const day = 86_400;
const longest = 999_999_999;

/** Reads the variables of the protocol. */
export function readProtocolConfig(read: EnvironmentReader) {
  const { integer } = read;
  return {
    dpopAlgs: read.list('DPOP_SIGNING_ALGS', signingAlgorithms, defaultAlgs),
    dpopProofMaxAge: integer('DPOP_PROOF_MAX_AGE', 60, 1, 3600),
    dpopProofMaxFuture: integer('DPOP_PROOF_MAX_FUTURE', 30, 0, 3600),
    dpopNonceRequired: read.oneOf('DPOP_NONCE', ['off', 'required'], 'off') === 'required',
    dpopNonceLifetime: integer('DPOP_NONCE_LIFETIME', 120, 1, 3600),
    dpopNonceSecretRotationInterval: integer(
      'DPOP_NONCE_SECRET_ROTATION_INTERVAL',
      day,
      3600,
      longest,
    ),
    assertionAlgs: read.list('CLIENT_ASSERTION_SIGNING_ALGS', signingAlgorithms, defaultAlgs),
    assertionMaxLifetime: integer('CLIENT_ASSERTION_MAX_LIFETIME', 300, 10, 3600),
    clockTolerance: integer('CLOCK_TOLERANCE', 30, 0, 300),
    altCnfMax: integer('ALT_CNF_MAX', 3, 1, 10),
    altCnfMaxLifetime: integer('ALT_CNF_MAX_LIFETIME', 300, 10, day),
    cnfProofMaxLifetime: integer('CNF_PROOF_MAX_LIFETIME', 300, 10, 3600),
    altCnfRegisteredKeyMaxAge: integer('ALT_CNF_REGISTERED_KEY_MAX_AGE', 90 * day, 60, 365 * day),
    idTokenMaxAge: integer('ID_TOKEN_MAX_AGE', 300, 10, day),
    accessTokenMaxLifetime: integer('ACCESS_TOKEN_MAX_LIFETIME', day, 30, 7 * day),
    jwksMaxAge: integer('JWKS_MAX_AGE', 300, 0, day),
    statusListMaxAge: integer('STATUS_LIST_MAX_AGE', 120, 10, day),
    jwksUriAllowPrivateAddresses: read.flag('JWKS_URI_ALLOW_PRIVATE_ADDRESSES', false),
    ...readRotation(read),
  };
}

// A successor announced before its predecessor signs would immediately get its own successor.
function readRotation({ integer, faults }: EnvironmentReader) {
  const interval = integer('SIGNING_KEY_ROTATION_INTERVAL', 90 * day, 3600, longest);
  const standard = Math.min(14 * day, Math.floor(interval / 2));
  const announcement = integer('SIGNING_KEY_ANNOUNCEMENT', standard, 0, longest);
  if (announcement >= interval)
    faults.push('SIGNING_KEY_ANNOUNCEMENT must be less than SIGNING_KEY_ROTATION_INTERVAL');
  return { signingKeyRotationInterval: interval, signingKeyAnnouncement: announcement };
}
