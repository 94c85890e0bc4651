import Type from 'typebox';
import { type TrustPurpose, trustPurposes } from '../domain/trusted-issuer.ts';
import { signingAlgorithms } from '../jose/algorithms.ts';
import { pattern } from './patterns.ts';
import {
  answerBody,
  jwkSet,
  listOf,
  managedBy,
  oneOf,
  patchOf,
  requestBody,
  text,
} from './schema-parts.ts';

const httpsUrl = text({ pattern: pattern('httpsUrl'), maxLength: 2048 });
const fileName = text({ pattern: pattern('fileName'), maxLength: 255 });

/** Members of a trusted issuer. */
export const trustedIssuerBody = requestBody('TrustedIssuerBody', {
  issuer: text({ pattern: pattern('trustedIssuer'), maxLength: 2048 }),
  purposes: Type.Optional(
    listOf<TrustPurpose>(oneOf(trustPurposes), {
      minItems: 1,
      description: 'Accepted uses of its tokens. Absent: `id_token`.',
    }),
  ),
  audience: Type.Optional(
    Type.Unsafe<string | readonly string[]>({
      type: ['string', 'array'],
      pattern: pattern('printable'),
      maxLength: 512,
      items: { type: 'string', pattern: pattern('printable'), maxLength: 512 },
      minItems: 1,
      maxItems: 20,
      uniqueItems: true,
      description:
        'Accepted values of `aud` in its tokens; each value must be accepted. Absent: ' +
        'the issuer identifier of this server.',
    }),
  ),
  jwks: Type.Optional(jwkSet),
  jwks_uri: Type.Optional(httpsUrl),
  trust_bundle: Type.Optional(jwkSet),
  trust_bundle_uri: Type.Optional(httpsUrl),
  trust_bundle_file: Type.Optional(fileName),
  allow_private_addresses: Type.Optional(Type.Boolean()),
  ca: Type.Optional(
    text({ minLength: 1, maxLength: 32_768, description: 'Certificates in PEM form.' }),
  ),
  ca_file: Type.Optional(fileName),
  algorithms: Type.Optional(listOf(oneOf(signingAlgorithms), { minItems: 1 })),
  max_lifetime: Type.Optional(
    Type.Integer({
      minimum: 60,
      maximum: 31_536_000,
      description: 'Maximum seconds from `iat` to `exp` of its tokens. Absent: a day.',
    }),
  ),
  clients: Type.Optional(
    listOf(text({ pattern: pattern('printable'), maxLength: 255 }), {
      minItems: 1,
      description: 'Clients that may exchange its ID tokens. Absent: all with the grant.',
    }),
  ),
  subject_prefix: Type.Optional(text({ pattern: pattern('printableOrEmpty'), maxLength: 100 })),
});
export type TrustedIssuerBody = Type.Static<typeof trustedIssuerBody>;

export const trustedIssuerPatch = patchOf(trustedIssuerBody);
export const trustedIssuerAnswer = answerBody('TrustedIssuer', {
  ...trustedIssuerBody.properties,
  id: Type.String(),
  managed_by: managedBy,
});
