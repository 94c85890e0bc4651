/** Where the public endpoints are, as clients see them and as this server mounts them. */
export interface Endpoints {
  /** Path before every protocol route: the path of the issuer, empty for a plain host. */
  readonly basePath: string;
  readonly token: string;
  readonly jwks: string;
  readonly introspection: string;
  readonly revocation: string;
  /** Prefix of the status lists, before a slash and the id. */
  readonly statusLists: string;
  /** The endpoints that accept certificates, on the TLS listener (RFC 8705 §5), if any. */
  readonly mtls?: { readonly token: string; readonly revocation: string };
  /** Path of the metadata: the issuer's path follows the well-known part (RFC 8414 §3.1). */
  readonly metadataPath: string;
  /** Where OpenID Connect libraries look: after the issuer, and before its path (RFC 8414 §5). */
  readonly openidMetadataPaths: readonly string[];
  /** Paths of the JWK Set: its own, and those that libraries without metadata try. */
  readonly jwksPaths: readonly string[];
  /** `iss` of the assertions of gateways (docs/gateways/README.md). */
  readonly gatewayIssuer: string;
  /** The JWK Set of these assertions; no metadata names it, so token checks never find it. */
  readonly gatewayJwksPath: string;
}

/** Derives the endpoints from the issuer identifier, which stays unchanged as a string. */
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
