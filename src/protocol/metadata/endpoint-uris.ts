/** Where the public endpoints are, as clients see them and as this server mounts them. */
export interface Endpoints {
  /** Path before every protocol route: the path of the issuer, empty for a plain host. */
  readonly basePath: string;
  readonly token: string;
  readonly jwks: string;
  readonly introspection: string;
  readonly revocation: string;
  /** The status lists, each behind a slash and its id. */
  readonly statusLists: string;
  /** The endpoints that take certificates, on the TLS listener (RFC 8705 §5), if any. */
  readonly mtls?: { readonly token: string; readonly revocation: string };
  /** Path of the metadata: the issuer's path goes behind the well-known part (RFC 8414 §3.1). */
  readonly metadataPath: string;
  /** Where OpenID Connect libraries look: behind the issuer, before its path (RFC 8414 §5). */
  readonly openidMetadataPaths: readonly string[];
  /** The JWK Set: its own path, and where libraries look that read no metadata. */
  readonly jwksPaths: readonly string[];
  /** `iss` of the assertions of gateways (docs/gateways/README.md). */
  readonly gatewayIssuer: string;
  /** The JWK Set of these; no metadata names it, so that nobody who checks tokens finds it. */
  readonly gatewayJwksPath: string;
}

/** Derives the endpoints from the issuer identifier, which itself stays the string that it is. */
export function endpointsOf(issuer: string, tlsPort?: number): Endpoints {
  const root = issuer.replace(/\/$/, '');
  const basePath = new URL(issuer).pathname.replace(/\/$/, '');
  const { origin } = Object.assign(new URL(issuer), {
    protocol: 'https:',
    port: String(tlsPort ?? ''),
  });
  return {
    ...(tlsPort !== undefined && {
      mtls: { token: `${origin}${basePath}/token`, revocation: `${origin}${basePath}/revoke` },
    }),
    basePath,
    token: `${root}/token`,
    jwks: `${root}/jwks`,
    introspection: `${root}/introspect`,
    revocation: `${root}/revoke`,
    statusLists: `${root}/status-lists`,
    metadataPath: `/.well-known/oauth-authorization-server${basePath}`,
    openidMetadataPaths: [
      ...new Set([
        `${basePath}/.well-known/openid-configuration`,
        `/.well-known/openid-configuration${basePath}`,
      ]),
    ],
    jwksPaths: [`${basePath}/jwks`, `${basePath}/.well-known/jwks.json`],
    gatewayIssuer: `${root}/gateway`,
    gatewayJwksPath: `${basePath}/gateway/jwks`,
  };
}

/** The URI of a status list, by its id: `status_list.uri` of a token, and `sub` of the list. */
export function statusListUri({
  statusLists,
}: Pick<Endpoints, 'statusLists'>): (id: string) => string {
  return (id) => `${statusLists}/${id}`;
}
