import type { PublicJwk } from '../jose/public-key.ts';
import type { ConfirmationMethod } from './confirmation-methods.ts';

/** Every method of `confirmationMethods`, and `jwks`. */
interface Members extends Record<ConfirmationMethod, unknown> {
  readonly jkt: string;
  readonly 'x5t#S256': string;
  readonly jwk: PublicJwk;
  readonly kid: string;
  readonly jku: string;
  readonly jwe: string;
  readonly jwks: { readonly keys: readonly Readonly<Record<string, string>>[] };
}

/** These members of `cnf`, and none of the others. */
type Only<Member extends keyof Members> = Pick<Members, Member> & {
  readonly [Other in Exclude<keyof Members, Member>]?: never;
};

/**
 * The value of `cnf`: exactly one confirmation method (RFC 7800 §3.1); resource servers refuse two.
 * `kid` can accompany `jku`.
 */
export type Confirmation = HolderConfirmation | Only<'kid'> | Only<'jku' | 'kid'> | Only<'jwe'>;

/** The methods that can name the key of an additional holder. */
export type HolderConfirmation = Only<'jkt'> | Only<'x5t#S256'> | Only<'jwk'>;

/** All keys of a token in one `cnf`, each with its thumbprint as `kid` and its `client_id`. */
export type JwkSetConfirmation = Only<'jwks'>;

const tokenTypes = {
  jkt: 'DPoP',
  'x5t#S256': 'Bearer',
  jwk: 'PoP',
  kid: 'PoP',
  jku: 'PoP',
  jwe: 'PoP',
  jwks: 'PoP',
} as const satisfies Record<keyof Members, string>;

/** How the token is presented (RFC 9449 §5, RFC 8705 §3, RFC 9201 §3.2). */
export function tokenTypeOf(cnf: Confirmation | JwkSetConfirmation): 'DPoP' | 'Bearer' | 'PoP' {
  // `kid` beside `jku` has the same type.
  const [method] = Object.keys(cnf) as [keyof Members];
  return tokenTypes[method];
}
