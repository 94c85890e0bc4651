import type { PublicJwk } from '../jose/public-key.ts';

/** The value of `cnf`: exactly one confirmation method (RFC 7800 §3.1; two members are refused by real verifiers); `kid` goes along with `jku`. */
export type Confirmation =
  | { readonly jkt: string }
  | { readonly 'x5t#S256': string }
  | { readonly jwk: PublicJwk }
  | { readonly kid: string }
  | { readonly jku: string; readonly kid: string }
  | { readonly jwe: string };

/** How the token is presented (product decision 3): RFC 9449 §5, RFC 8705 §3, RFC 9201 §3.2. */
export function tokenTypeOf(confirmation: object): 'DPoP' | 'Bearer' | 'PoP' {
  if ('jkt' in confirmation) return 'DPoP';
  return 'x5t#S256' in confirmation ? 'Bearer' : 'PoP';
}
