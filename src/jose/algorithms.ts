/** Signature algorithms (RFC 7518 §3.1, RFC 8037, RFC 9864, RFC 9964) that this server knows; each purpose allows its own subset. */
export const signingAlgorithms = [
  'ES256',
  'ES384',
  'PS256',
  'RS256',
  'EdDSA',
  'Ed25519',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];

/** Algorithms that an access token may be signed with. */
export const accessTokenSigningAlgorithms = [
  'ES256',
  'RS256',
  'PS256',
  'EdDSA',
  'Ed25519',
  'ML-DSA-65',
] as const satisfies readonly SigningAlgorithm[];
export type AccessTokenSigningAlgorithm = (typeof accessTokenSigningAlgorithms)[number];
