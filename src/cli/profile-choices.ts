/** Authentication methods that a profile may choose. */
export const authenticationMethods = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'workload_jwt',
  'spiffe_jwt',
  'none',
] as const;

/** Algorithms of keys that are generated for a profile. */
export const keyAlgorithms = [
  'ES256',
  'ES384',
  'ES512',
  'Ed25519',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
] as const;
