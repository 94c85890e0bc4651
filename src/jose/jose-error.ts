/** Why a key, JWS or JWE is refused. */
export type JoseErrorReason =
  | 'not_an_object'
  | 'kty_unsupported'
  | 'crv_unsupported'
  | 'alg_unsupported'
  | 'private_member'
  | 'unknown_member'
  | 'member_invalid'
  | 'coordinate_invalid'
  | 'not_on_curve'
  | 'small_order'
  | 'rsa_modulus'
  | 'rsa_exponent'
  | 'rsa_roca'
  | 'not_for_signatures'
  | 'not_for_encryption'
  | 'jws_malformed'
  | 'jws_too_large'
  | 'json_invalid'
  | 'json_text_invalid'
  | 'crit_unsupported'
  | 'alg_not_allowed'
  | 'alg_key_mismatch'
  | 'signature_invalid'
  | 'private_member_missing'
  | 'jwe_malformed'
  | 'jwe_undecryptable';

/** A refused key, JWS or JWE; `member` names the member of the JWK at fault, if any. */
export class JoseError extends Error {
  override readonly name = 'JoseError';
  readonly reason: JoseErrorReason;
  readonly member: string | undefined;
  constructor(reason: JoseErrorReason, member?: string, cause?: unknown) {
    super(
      member === undefined ? reason : `${reason}: ${member}`,
      cause === undefined ? undefined : { cause },
    );
    this.reason = reason;
    this.member = member;
  }
}
