import type { SigningKey } from '../domain/signing-key.ts';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';

/** The current signing key. Throws NoSigningKey, SigningKeyUnavailable, StoreUnavailable. */
export type CurrentSigningKey = (alg: AccessTokenSigningAlgorithm) => Promise<SigningKey>;
