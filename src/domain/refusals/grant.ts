import { idJagRefusals, ofAnotherIssuer } from './id-jag.ts';
import { refusals } from './refusal.ts';
import { platformTokenRefusals, trustedIssuerTokenRefusals } from './trusted-issuer-tokens.ts';

const invalidToken = 'the subject token is invalid, expired or revoked';
const invalidActor = 'the actor token is invalid, expired or revoked';
const invalidIdToken = 'the subject token is invalid, expired or not from a trusted issuer';
const invalidAssertion = 'the assertion is invalid, expired or not from a trusted issuer';
const notCovered = 'the subject token may not be exchanged for this resource or scope';

/** What the client requests (RFC 6749 §4.4, RFC 8693 §2, RFC 8707 §2). */
export const grantRefusals = {
  ...platformTokenRefusals('grant_assertion', 'invalid_grant', invalidAssertion),
  ...idJagRefusals,
  ...trustedIssuerTokenRefusals('id_token', 'invalid_request', invalidIdToken),
  ...refusals('invalid_request', {
    grant_type_missing: ['grant_type is missing', 'Send grant_type=client_credentials.'],
    grant_assertion_missing: ['assertion is required', 'Send it (RFC 7523 §2.1).'],
    subject_token_missing: [
      'subject_token and subject_token_type are required',
      'Send both (RFC 8693 §2.1).',
    ],
    subject_token_type: [
      'this subject_token_type is not supported',
      'Use the token type of access tokens or of ID tokens (RFC 8693 §3).',
    ],
    actor_token_incomplete: [
      'a delegation needs actor_token, actor_token_type and subject_token_proof',
      'Send all three, or none of them (docs/delegation.md).',
    ],
    actor_token_type: [
      'a delegation takes access tokens only',
      'Set subject_token_type and actor_token_type to the token type of access tokens.',
    ],
    actor_token_not_ours: [invalidActor, 'This server did not sign the actor token.'],
    actor_token_expired: [invalidActor, 'Ask for a new actor token.'],
    actor_token_not_in_force: [
      invalidActor,
      'The token was revoked, its client is disabled, or its key is no longer registered.',
    ],
    actor_token_exchanged: [
      'the actor token results from an exchange',
      'Send a token that the actor obtained for itself, by another grant.',
    ],
    actor_is_subject: [
      'the subject token and the actor token were issued to the same client',
      'A client exchanges its own tokens without actor_token.',
    ],
    requested_token_type: [
      'only access tokens and identity assertion grants are issued',
      'Leave requested_token_type out, or use the token type of ID-JAGs.',
    ],
    subject_token_not_ours: [invalidToken, 'This server did not sign the subject token.'],
    subject_token_expired: [invalidToken, 'Ask for a new subject token.'],
    subject_token_not_in_force: [
      invalidToken,
      'The token was revoked, its client is disabled, or its key is no longer registered.',
    ],
    subject_token_sub_is_a_client: [invalidToken, 'A client has the name of the user in sub.'],
    subject_token_pairing_gone: [invalidToken, 'A pairing of an earlier exchange was revoked.'],
    subject_token_owner_gone: [invalidToken, 'A client of an earlier exchange is gone.'],
    id_token_sub_invalid: [invalidIdToken, 'sub must have 1 to 255 characters.'],
    id_token_sub_is_a_client: [invalidIdToken, 'A client has this name; set subject_prefix.'],
    id_token_sub_of_another_issuer: [invalidIdToken, ofAnotherIssuer],
    id_token_azp_mismatch: [invalidIdToken, 'azp is not an audience of the trusted issuer.'],
    id_token_too_old: [invalidIdToken, 'It is older than ID_TOKEN_MAX_AGE. Ask for a new one.'],
    id_token_jti_invalid: [invalidIdToken, 'jti must have 1 to 256 characters.'],
    id_token_replayed: [
      'the ID token was exchanged before',
      'Every ID token is exchanged once. Ask the provider for a new one.',
    ],
  }),
  ...refusals('invalid_grant', {
    grant_assertion_subject_invalid: [
      invalidAssertion,
      'A claim in the subject of the rule is empty or not a string, or the subject is too long.',
    ],
    grant_assertion_subject_is_a_client: [
      invalidAssertion,
      'A client has the name of the subject; set subject_prefix.',
    ],
    grant_assertion_subject_of_another_issuer: [invalidAssertion, ofAnotherIssuer],
    grant_assertion_client_mismatch: [
      invalidAssertion,
      'The rule names a client, which has to authenticate.',
    ],
    subject_token_key_mismatch: [
      'the subject token is bound to a key that is not proven in this request',
      'Prove the key that the subject token names.',
    ],
    subject_token_ath_mismatch: [
      'ath of the DPoP proof is not the hash of the subject token',
      'Set ath to the base64url SHA-256 of the subject token.',
    ],
    actor_token_key_mismatch: [
      'the actor token is bound to a key that is not proven in this request',
      'Prove the key that the actor token names, by DPoP or the client certificate.',
    ],
    actor_token_ath_mismatch: [
      'ath of the DPoP proof is not the hash of the actor token',
      'Set ath to the base64url SHA-256 of the actor token.',
    ],
    actor_token_of_another_client: [
      'the actor token was issued to another client',
      'The actor authenticates, and sends a token of its own.',
    ],
    delegation_not_permitted: [
      'the client may not act for the client of the subject token',
      'An admin pairs the two; for a user the pairing has first_party.',
    ],
    delegation_too_deep: [
      'too many clients act for each other already',
      'At most 7 actors are nested in act.',
    ],
    subject_token_not_for_actor: [
      'the subject token is bound to a key of another client, which does not let this one act',
      'The token must name this client in may_act or alt_cnf, under a pairing in force.',
    ],
    subject_token_exchanged_too_often: [
      'the subject token results from too many successive exchanges',
      'Exchange a token closer to the first one.',
    ],
    exchange_scope_not_covered: [notCovered, 'A pairing on the way does not cover it.'],
  }),
  ...refusals('unauthorized_client', {
    grant_type_not_registered: [
      'the client is not registered for this grant_type',
      'Add it to grant_types of the client.',
    ],
    id_token_client_not_allowed: [
      'the client may not exchange ID tokens of this issuer',
      'Add the client to clients of the trusted issuer.',
    ],
  }),
  ...refusals('unsupported_grant_type', {
    unsupported_grant_type: [
      'this grant_type is not supported',
      'Use one of grant_types_supported in the metadata.',
    ],
  }),
  ...refusals('invalid_scope', {
    scope_malformed: [
      'scope is not a list of scope tokens separated by single spaces',
      'Join the scopes with single spaces (RFC 6749 §3.3).',
    ],
    scope_not_allowed: [
      'a requested scope is not allowed for this client at this resource server',
      'Register the scope at both the client and the resource server.',
    ],
    scope_widened: [
      'a requested scope is not in the subject token',
      'An exchange never adds scope. Ask for less.',
    ],
  }),
  ...refusals('invalid_target', {
    several_resources: [
      'a token is issued for one resource only',
      'Send one resource, and request a token for each resource server.',
    ],
    resource_malformed: [
      'resource is not an absolute URI without fragment',
      'Send the audience of the resource server exactly as registered.',
    ],
    resource_not_allowed: [
      'the client may not ask for a token for this resource',
      'No resource server has this audience, or resources of the client does not list it.',
    ],
    resource_missing: [
      'resource is required, because there is not exactly one resource server for this client',
      'Send resource with the audience of the resource server.',
    ],
    exchange_target_not_covered: [notCovered, 'An earlier client may not ask for this resource.'],
    exchange_target_beyond_limit: [
      notCovered,
      'An ID-JAG, a rule of a trusted issuer, or the proof of a delegation limited the subject token, and tokens derived from it, to other resources.',
    ],
  }),
  ...refusals('temporarily_unavailable', {
    issuer_keys_unavailable: [
      'the keys of the token issuer are not available now',
      'The keys of the trusted issuer cannot be read. Try again; the log has the reason.',
    ],
  }),
};
