import { refusals } from './refusal.ts';

const notForGateway = 'the gateway is not set up for this request';
const notForToken = 'the access token does not admit this request';

/** Refusals of requests that a gateway forwards (docs/gateways/README.md). */
export const gatewayRefusals = {
  ...refusals('access_denied', {
    gateway_token_mismatch: [
      notForGateway,
      'The gateway must send Holdfast-Gateway-Token once, with the value of GATEWAY_TOKEN.',
    ],
    gateway_parameters_invalid: [
      notForGateway,
      'Name one audience in the query, and scope, assertion and certificate once at most.',
    ],
    gateway_audience_unknown: [
      notForGateway,
      'Register a resource server with this audience, or correct the query of the gateway.',
    ],
    gateway_fields_invalid: [
      notForGateway,
      'The gateway must send each field of its form once, well formed, over what a client sent.',
    ],
    gateway_origins_missing: [
      notForGateway,
      'Register the origins at which gateways serve the resource server.',
    ],
    gateway_origin_unlisted: [
      notForGateway,
      'The request was for an origin that is not among the origins of the resource server.',
    ],
  }),
  ...refusals('invalid_token', {
    access_token_missing: [
      'an access token and a proof of its key are required',
      'Send Authorization: DPoP with a DPoP field, or Bearer over mutual TLS.',
    ],
    token_inactive: [
      notForToken,
      'The token has expired, was revoked, or is for another resource server. Get a new one.',
    ],
    token_as_bearer: [
      'the access token is bound to a key, which was not proven in this request',
      'Send a DPoP proof, or the client certificate. If you did, look at what the gateway asks.',
    ],
    key_mismatch: [
      'the access token is not bound to the key that was proven in this request',
      'Sign the proof with the key that the token was issued for.',
    ],
  }),
  ...refusals('invalid_request', {
    authorization_malformed: [
      'the Authorization header field is malformed',
      'Send the scheme, one space and the access token.',
    ],
    proof_of_other_scheme: [
      'a proof goes with the authentication scheme of its name',
      'Send a DPoP proof with the scheme DPoP.',
    ],
  }),
  ...refusals('insufficient_scope', {
    scope_missing: [
      'the access token lacks the required scope',
      'Get a token with the scope that the challenge names.',
    ],
  }),
};
