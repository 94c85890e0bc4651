import { type OAuthErrorCode, type Refusal, refusals } from './refusal.ts';

/** What can be wrong with a token of a trusted issuer, in any use. */
const helps = {
  malformed: 'It is not a compact JWS with a known algorithm.',
  typ_mismatch: 'typ says that it is another kind of JWT.',
  issuer_not_trusted: 'An admin adds the issuer as a trusted issuer, for this purpose.',
  kid_invalid: 'kid is not a string.',
  signature_invalid: 'No key of the issuer verifies the signature with an accepted algorithm.',
  is_event: 'It is a security event token, such as a logout token.',
  aud_mismatch: 'aud has a value that is not an audience of the trusted issuer.',
  expired: 'Ask the issuer for a new token.',
  not_yet_valid: 'iat or nbf is in the future. Check the clocks.',
  lifetime_too_long: 'It lives longer than max_lifetime of the trusted issuer.',
  cnf_unknown: 'cnf does not name exactly one key, by jkt or jwk.',
} as const;
export type TrustedIssuerTokenFault = keyof typeof helps;

/** The uses of a trusted issuer's token. */
export type TrustedIssuerTokenUse = 'id_token' | 'platform_token' | 'grant_assertion' | 'id_jag';

/** The refusals of one use, which all share one sentence. */
export function trustedIssuerTokenRefusals<Use extends TrustedIssuerTokenUse>(
  use: Use,
  code: OAuthErrorCode,
  sentence: string,
): Readonly<Record<`${Use}_${TrustedIssuerTokenFault}`, Refusal>> {
  const rows = Object.entries(helps).map(([fault, help]) => [`${use}_${fault}`, [sentence, help]]);
  return refusals(code, Object.fromEntries(rows) as Record<string, readonly [string, string]>);
}

/** The uses of a platform's token: a client's credential, or the grant itself. */
export type PlatformTokenUse = 'platform_token' | 'grant_assertion';

/** The refusals of a token that stands for a workload. */
export function platformTokenRefusals<Use extends PlatformTokenUse>(
  use: Use,
  code: OAuthErrorCode,
  sentence: string,
): ReturnType<typeof trustedIssuerTokenRefusals<Use>> &
  Readonly<Record<`${Use}_${'no_rule' | 'key_mismatch' | 'pinned'}`, Refusal>> {
  const rows: Readonly<Record<string, readonly [string, string]>> = {
    [`${use}_no_rule`]: [sentence, 'No rule matches; the audit trail and `try` say why not.'],
    [`${use}_key_mismatch`]: [
      'the token of the platform is bound to a key that is not proven in this request',
      'Prove the key that cnf of the token names.',
    ],
    [`${use}_pinned`]: [
      'the token of the platform was used with another key before',
      'Its rule pins it to the first key. Keep that key, or ask for a new token.',
    ],
  };
  return Object.assign(trustedIssuerTokenRefusals(use, code, sentence), refusals(code, rows));
}
