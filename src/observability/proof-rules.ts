/** Rules of RFC 9449 §4.3 and the subject of each. */
const rules = {
  1: 'one proof',
  2: 'well-formed JWT',
  3: 'claims',
  4: 'typ',
  5: 'alg',
  6: 'signature',
  7: 'private key',
  8: 'htm',
  9: 'htu',
  10: 'nonce',
  11: 'iat',
  12: 'ath and key',
} as const;

const ruleOfReason: Readonly<Record<string, keyof typeof rules>> = {
  proof_header_repeated: 1,
  proof_malformed: 2,
  proof_jti_invalid: 3,
  proof_iat_invalid: 3,
  proof_typ_mismatch: 4,
  proof_htm_mismatch: 8,
  proof_htu_mismatch: 9,
  nonce_missing: 10,
  nonce_stale: 10,
  proof_iat_too_old: 11,
  proof_iat_in_future: 11,
  proof_expired: 11,
  proof_not_yet_valid: 11,
  proof_ath_mismatch: 12,
  key_mismatch: 12,
};

/** Rules for malformed proofs, by the JOSE layer's reason. */
const ruleOfJose: Readonly<Record<string, keyof typeof rules>> = {
  alg_unsupported: 5,
  alg_not_allowed: 5,
  alg_key_mismatch: 5,
  signature_invalid: 6,
  private_member: 7,
};

/**
 * The rule of RFC 9449 §4.3 that a refused proof broke; undefined: none of them.
 * @param jose reason of the JOSE layer, if the proof was malformed
 */
export function proofRule(
  reason: string,
  jose: string | undefined,
): { readonly rule: string; readonly about: string } | undefined {
  const byJose = reason === 'proof_malformed' ? ruleOfJose[jose ?? ''] : undefined;
  const rule = byJose ?? ruleOfReason[reason];
  return rule && { rule: String(rule), about: rules[rule] };
}
