/** Where a trusted issuer publishes its keys, unless they are registered by value. */
export interface IssuerKeySource {
  /**
   * A JWK Set, the metadata of an issuer, a SPIFFE trust bundle behind https, or one in a file
   * below TRUST_BUNDLE_DIRECTORY.
   */
  readonly kind: 'jwks' | 'discovery' | 'bundle' | 'file';
  /** The URI, the issuer identifier, or the name of the file. */
  readonly at: string;
  /** True: private and loopback addresses too. */
  readonly allowPrivateAddresses?: boolean;
  /** The only certificates that its server may have a chain to, PEM, or the name of their file. */
  readonly ca?: { readonly pem: string } | { readonly file: string };
}

/** Where a set of keys is read from: the `jwks_uri` of a client, or the source of an issuer. */
export type KeySource = string | IssuerKeySource;
