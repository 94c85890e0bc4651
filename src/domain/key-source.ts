/** Where a trusted issuer publishes its keys, unless they are registered by value. */
export interface IssuerKeySource {
  /**
   * A JWK Set, the metadata of an issuer, a SPIFFE trust bundle behind https, or one in a file
   * below TRUST_BUNDLE_DIRECTORY.
   */
  readonly kind: 'jwks' | 'discovery' | 'bundle' | 'file';
  /** The URI, the issuer identifier, or the name of the file. */
  readonly at: string;
  /** True: private and loopback addresses are allowed too. */
  readonly allowPrivateAddresses?: boolean;
  /** The only trusted certificate authorities of its server, as PEM or as a file name. */
  readonly ca?: { readonly pem: string } | { readonly file: string };
}

/** Where a set of keys is read from: the `jwks_uri` of a client, or the source of an issuer. */
export type KeySource = string | IssuerKeySource;
