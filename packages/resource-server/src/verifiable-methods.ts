import type { ConfirmationMethod } from '../../../src/domain/confirmation-methods.ts';
import type { Scheme } from './refusal.ts';

/** Confirmation methods that can be verified; `jwks` is a set of several keys in `cnf`. */
export type VerifiableMethod = ConfirmationMethod | 'jwks';

/** The scheme by which a key is presented that a token names by each method. */
export const schemeOf: Readonly<Record<VerifiableMethod, Scheme>> = {
  jkt: 'DPoP',
  'x5t#S256': 'Bearer',
  jwk: 'DPoP',
  kid: 'DPoP',
  jku: 'DPoP',
  jwks: 'DPoP',
  jwe: 'PoP',
};

/** Every confirmation method that can be verified. */
export const verifiableMethods = Object.keys(schemeOf) as readonly VerifiableMethod[];
