import type { ResourceMetadata, ResourceServerOptions } from './options.ts';
import type { Offer } from './refusal.ts';

/** The members of the metadata that follow from the other options. */
export const derivedMembers = [
  'resource',
  'authorization_servers',
  'bearer_methods_supported',
  'tls_client_certificate_bound_access_tokens',
  'dpop_signing_alg_values_supported',
  'dpop_bound_access_tokens_required',
];

/**
 * Derives the metadata from the options, so that it states what is checked. Throws TypeError if the
 * audience is not a URL, because that determines where the metadata is served.
 */
export function resourceMetadata(
  { audience, metadata }: Pick<ResourceServerOptions, 'audience' | 'metadata'>,
  issuers: Iterable<unknown>,
  offers: readonly Offer[],
): ResourceMetadata | undefined {
  if (metadata === undefined) return undefined;
  // The URL becomes part of a quoted string in challenges.
  if (!/^https?:\/\/[^\s"\\#]+$/.test(audience) || !URL.canParse(audience))
    throw new TypeError('metadata needs an audience that is an https URL without a fragment');
  const { origin, pathname, search } = new URL(audience);
  const dpop = offers.find(({ scheme }) => scheme === 'DPoP')?.algs;
  const certificate = offers.some(({ scheme }) => scheme === 'Bearer');
  return {
    url: `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}${search}`,
    document: {
      ...metadata,
      resource: audience,
      authorization_servers: [...issuers],
      // Only a certificate-bound token has the form of a bearer token (RFC 8705 §3).
      bearer_methods_supported: certificate ? ['header'] : [],
      ...(certificate && { tls_client_certificate_bound_access_tokens: true }),
      ...(dpop !== undefined && { dpop_signing_alg_values_supported: dpop }),
      ...(dpop !== undefined && offers.length === 1 && { dpop_bound_access_tokens_required: true }),
    },
  };
}
