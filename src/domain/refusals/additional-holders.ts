import { refusals } from './refusal.ts';

/** One sentence for every reason hides from the requester which holder failed, and how. */
const badProof = 'proof for an additional key is invalid or not made for this request';
const notPermitted = 'pairing not permitted';
const once = 'req_alt_cnf: a holder or key may appear only once in a token';

/** Keys of additional holders (docs/protocol.md). */
export const additionalHolderRefusals = {
  ...refusals('invalid_request', {
    req_alt_cnf_too_long: ['req_alt_cnf is too long', 'Name fewer holders.'],
    req_alt_cnf_not_json: ['req_alt_cnf is not a JSON array', 'Send a JSON array, form-encoded.'],
    req_alt_cnf_empty: ['req_alt_cnf must name at least one holder', 'Or leave it out.'],
    req_alt_cnf_too_many: [
      'req_alt_cnf names more holders than a token may have',
      'alt_cnf_max in the metadata is the maximum.',
    ],
    req_alt_cnf_element_malformed: [
      'each element of req_alt_cnf must be a proof, or a client_id and the kid of its key',
      'Send {"proof": …}, or {"client_id": …, "cnf": {"kid": …}}.',
    ],
    holder_repeated: [once, 'Remove the holder or key that occurs twice.'],
    holder_is_requester: [once, 'Remove the element that names the requester itself.'],
  }),
  ...refusals('unauthorized_client', {
    alt_cnf_not_enabled: [notPermitted, 'The requester has no alt_cnf_holders.'],
    actor_may_not_share: [notPermitted, 'A token that was exchanged by an actor has one holder.'],
    holder_not_listed: [notPermitted, 'List the holder in alt_cnf_holders of the requester.'],
    holder_unknown_or_disabled: [notPermitted, 'The holder is not registered, or is disabled.'],
    holder_does_not_agree: [
      notPermitted,
      'List the requester in alt_cnf_requesters of the holder; see alt_cnf_registered_key.',
    ],
    pairing_missing_or_exceeded: [
      notPermitted,
      'An admin creates the pairing, or widens its resources or scope.',
    ],
    pairing_not_first_party: [
      notPermitted,
      'A token for a user is shared only under a pairing with first_party.',
    ],
  }),
  ...refusals('unsupported_pop_key', {
    alt_cnf_not_supported_by_audience: [
      'the audience does not accept additional confirmation keys; use token exchange',
      'Set alt_cnf_supported, or multi_key_form, of the resource server.',
    ],
    alt_cnf_kid_unknown: [
      'req_alt_cnf names a key that the holder has not registered',
      'Register the key under this kid at the holder.',
    ],
    alt_cnf_method_not_accepted: [
      'the resource server does not accept a confirmation method that can name an additional key',
      'Add jkt, jwk or x5t#S256 to cnf_methods_supported of the resource server.',
    ],
  }),
  ...refusals('use_dpop_nonce', {
    cnf_proof_nonce: [
      'nonce required in DPoP proof and cnf-proof',
      'Put the DPoP-Nonce of this answer into both, then repeat the request.',
    ],
  }),
  ...refusals('failed_pop_verification', {
    cnf_proof_malformed: [badProof, 'The proof is not a compact JWS.'],
    cnf_proof_typ_mismatch: [badProof, 'Set typ to cnf-proof+jwt.'],
    cnf_proof_brings_key: [badProof, 'Leave jwk, jku, x5u and x5c out of the header.'],
    cnf_proof_kid_missing: [badProof, 'Set kid to that of a registered key of the holder.'],
    cnf_proof_iss_missing: [badProof, 'Set iss to the client_id of the holder.'],
    cnf_proof_key_unknown: [badProof, 'The holder has not registered a key under this kid.'],
    cnf_proof_signature_invalid: [badProof, 'Sign with the registered key of the holder.'],
    cnf_proof_has_sub: [badProof, 'Leave sub out.'],
    cnf_proof_aud_mismatch: [badProof, 'Set aud to the issuer identifier, as a single string.'],
    cnf_proof_client_mismatch: [badProof, 'Set client_id to that of the requester.'],
    cnf_proof_key_mismatch: [badProof, 'Set cnf to the key of the requester, by jkt or x5t#S256.'],
    cnf_proof_method_unknown: [badProof, 'cnf_method must be jkt or x5t#S256.'],
    cnf_proof_times_missing: [badProof, 'Set iat and exp in seconds.'],
    cnf_proof_lifetime: [badProof, 'Set exp at most CNF_PROOF_MAX_LIFETIME after iat.'],
    cnf_proof_expired: [badProof, 'Make a new proof for each request, and check the clock.'],
    cnf_proof_not_yet_valid: [badProof, 'iat or nbf is in the future. Check the clock.'],
    cnf_proof_consent_expired: [badProof, 'consent_exp is in the past.'],
    cnf_proof_jti_invalid: [badProof, 'Set jti to a random value of 1 to 256 characters.'],
    cnf_proof_resource_mismatch: [badProof, 'resource does not list the audience of the token.'],
    cnf_proof_scope_exceeded: [badProof, 'scope does not cover the scope of the token.'],
    cnf_proof_certificate_missing: [badProof, 'The registered key has no certificate (x5c).'],
    cnf_proof_replayed: [badProof, 'Make a new proof for each request.'],
    pairing_needs_proof: [badProof, 'The pairing has mode proof: send a proof of the holder.'],
    registered_key_not_proven: [
      badProof,
      'The holder has not used its key lately. It must authenticate with that key once.',
    ],
    holder_keys_unavailable: [badProof, 'The jwks_uri of the holder cannot be read.'],
  }),
};
