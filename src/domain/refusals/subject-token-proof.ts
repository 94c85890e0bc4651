import { refusals } from './refusal.ts';

/** One sentence for every reason, so that a finder of a proof does not learn what it lacks. */
const badProof = 'the proof for the subject token is invalid or not made for this request';

/** The proof by the key of a subject token (docs/delegation.md). */
export const subjectTokenProofRefusals = refusals('failed_pop_verification', {
  subject_proof_malformed: [
    badProof,
    'It is not a JWT whose signature verifies with an acceptable public key in its header.',
  ],
  subject_proof_typ_mismatch: [badProof, 'Set typ to subject-token-proof+jwt.'],
  subject_proof_signer_mismatch: [badProof, 'Sign with the key that the subject token names.'],
  subject_proof_aud_mismatch: [badProof, 'Set aud to the issuer identifier, as a single string.'],
  subject_proof_client_mismatch: [badProof, 'Set client_id to that of the actor.'],
  subject_proof_key_mismatch: [badProof, 'Set cnf to the key of the actor, by jkt or x5t#S256.'],
  subject_proof_ath_mismatch: [badProof, 'Set ath to the base64url SHA-256 of the subject token.'],
  subject_proof_resource_mismatch: [badProof, 'resource is not the audience of the new token.'],
  subject_proof_times_missing: [badProof, 'Set iat and exp in seconds.'],
  subject_proof_lifetime: [badProof, 'Set exp at most 120 seconds after iat.'],
  subject_proof_expired: [badProof, 'Make a new proof for each request, and check the clock.'],
  subject_proof_not_yet_valid: [badProof, 'iat or nbf is in the future. Check the clock.'],
  subject_proof_jti_invalid: [badProof, 'Set jti to a random value of 1 to 256 characters.'],
  subject_proof_replayed: [badProof, 'Make a new proof for each request.'],
});
