import { refusals } from './refusal.ts';
import { trustedIssuerTokenRefusals } from './trusted-issuer-tokens.ts';

const invalidAssertion = 'the assertion is invalid, expired or not from a trusted issuer';

/** Help for a subject that begins with the prefix of another trusted issuer. */
export const ofAnotherIssuer =
  'The subject begins with the subject_prefix of another trusted issuer; give this one a prefix, too.';

/** Identity assertion grants, accepted and issued (docs/id-jag.md). */
export const idJagRefusals = {
  ...trustedIssuerTokenRefusals('id_jag', 'invalid_grant', invalidAssertion),
  ...refusals('invalid_grant', {
    id_jag_key_mismatch: [
      'the assertion is bound to a key that is not proven in this request',
      'Prove the key that cnf of the assertion names.',
    ],
    id_jag_replayed: [
      'the assertion was used before',
      'Every ID-JAG counts once. Ask the identity provider for a new one.',
    ],
    id_jag_client_mismatch: [invalidAssertion, 'client_id is not the authenticated client.'],
    id_jag_claims_invalid: [
      invalidAssertion,
      'sub must have 1 to 255 characters and jti 1 to 256; iat is required; resource and scope must be strings.',
    ],
    id_jag_subject_is_a_client: [
      invalidAssertion,
      'A client has the name of the user; set subject_prefix.',
    ],
    id_jag_subject_of_another_issuer: [invalidAssertion, ofAnotherIssuer],
  }),
  ...refusals('unauthorized_client', {
    id_jag_client_not_allowed: [
      'the client may not use assertions of this issuer',
      'Add the client to clients of the trusted issuer.',
    ],
  }),
  ...refusals('invalid_request', {
    id_jag_exchange_subject_type: [
      'an identity assertion grant is given for an ID token',
      'Set subject_token_type to the token type of ID tokens.',
    ],
  }),
  ...refusals('invalid_target', {
    id_jag_audience_not_allowed: [
      'the client may not ask for a grant for this authorization server',
      'audience is not a registered authorization server, that server does not list the client, or the rule of the workload leaves no scope or resource there.',
    ],
  }),
};
