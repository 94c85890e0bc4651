import { X509Certificate } from 'node:crypto';
import { OAuthError } from '../../domain/oauth-error.ts';
import { type JwksByValue, keySourceOf, type TrustedIssuer } from '../../domain/trusted-issuer.ts';
import type { PublicKey } from '../../jose/public-key.ts';
import type { RemoteJwkSets } from '../../ports/ports.ts';
import { registeredKeys } from '../client-keys/registered-keys.ts';
import { type JwkSetDocument, trustBundleKeys } from '../client-keys/remote-jwks/jwk-set.ts';

/** The keys of trusted issuers. Both throw `temporarily_unavailable` if they cannot be read. */
export interface IssuerKeys {
  /** Finds the key that made a signature, by `signed`, among those that could have this `kid`. */
  signer(
    issuer: TrustedIssuer,
    kid: string | undefined,
    signed: (key: PublicKey) => boolean,
  ): Promise<PublicKey | undefined>;
  /** Whether `issued` is true for one of the certificates for X.509-SVIDs. */
  hasAnchor(issuer: TrustedIssuer, issued: (anchor: X509Certificate) => boolean): Promise<boolean>;
}

// Cached for each registration object, so that its keys are imported once.
const bundles = new WeakMap<JwksByValue, JwkSetDocument>();

/** The keys of an issuer that are registered by value. */
function byValue({ jwks, trust_bundle: bundle }: TrustedIssuer): JwkSetDocument | undefined {
  if (bundle === undefined) return jwks;
  const read = bundles.get(bundle) ?? trustBundleKeys(bundle);
  bundles.set(bundle, read);
  return read;
}

/** Finds keys of issuers, wherever they are published. */
export function issuerKeys(remote: RemoteJwkSets): IssuerKeys {
  const keys = registeredKeys(remote);
  return {
    async signer(issuer, kid, signed) {
      const [jwks, source] = [byValue(issuer), keySourceOf(issuer)];
      const owner = { ...(jwks && { jwks }), ...(source && { jwks_uri: source }) };
      return orUnavailable(keys.signer(owner, kid, signed));
    },
    async hasAnchor(issuer, issued) {
      const among = (set: object) => anchorsIn(set).some(issued);
      const [jwks, source] = [byValue(issuer), keySourceOf(issuer)];
      if (source === undefined) return among(jwks ?? {});
      const set = await orUnavailable(remote.current(source));
      if (among(set)) return true;
      const newest = await orUnavailable(remote.newest(source));
      if (newest === set || !among(newest)) return false;
      remote.adopt(source, newest);
      return true;
    },
  };
}

/** The certificates of a trust bundle; unreadable ones are left out. */
function anchorsIn(set: object): readonly X509Certificate[] {
  const { keys = [] } = set as Partial<JwkSetDocument>;
  return keys.flatMap(({ use, x5c }) => {
    if (use !== 'x509-svid' || !Array.isArray(x5c)) return [];
    try {
      return [new X509Certificate(Buffer.from(String(x5c[0]), 'base64'))];
    } catch {
      return [];
    }
  });
}

async function orUnavailable<T>(found: Promise<T>): Promise<T> {
  return found.catch((cause: unknown) => {
    throw new OAuthError('issuer_keys_unavailable', { cause });
  });
}
