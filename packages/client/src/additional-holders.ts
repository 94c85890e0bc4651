import { randomJti } from './base64url.ts';
import { HolderError } from './holder-error.ts';
import { signedJwt } from './jws.ts';
import type { HolderKey } from './keys/holder-key.ts';

/** What an additional holder consents to: the requesting client, its key, and the token. */
export interface ConsentRequest {
  /** The client that requests the token. */
  readonly clientId: string;
  /** Thumbprint of its key; undefined if its tokens are bound to a certificate. */
  readonly thumbprint?: string | undefined;
  /** `x5t#S256` of its certificate (RFC 8705 §3.1). */
  readonly certificateThumbprint?: string | undefined;
  readonly resource?: string | undefined;
  readonly scope?: string | undefined;
  /** A nonce of the authorization server, if it requires one. */
  readonly nonce?: string | undefined;
}

/**
 * Another holder of the same token: one in this process, a function that gets a `cnf-proof+jwt`
 * from elsewhere, or a registered key of a client that consented by its registration.
 */
export type AdditionalHolder =
  | { proveFor(request: ConsentRequest): Promise<string> }
  | ((request: ConsentRequest) => Promise<string>)
  | { readonly clientId: string; readonly kid: string };

/** Value of `req_alt_cnf`; every holder's proof is created anew, since it counts once. */
export async function reqAltCnf(
  holders: readonly AdditionalHolder[],
  request: ConsentRequest,
): Promise<string> {
  const elements = holders.map(async (holder) => {
    if (typeof holder === 'function') return { proof: await holder(request) };
    if ('proveFor' in holder) return { proof: await holder.proveFor(request) };
    return { client_id: holder.clientId, cnf: { kid: holder.kid } };
  });
  return JSON.stringify(await Promise.all(elements));
}

/** The consenting holder, and how it will present the token. */
export interface ConsentingHolder {
  readonly clientId: string;
  readonly kid: string;
  readonly key: HolderKey;
  /** Issuer identifier of the server that issues the token. */
  readonly issuer: string;
  /** True: by mutual TLS, with the certificate in `x5c` of the registered key. */
  readonly byCertificate: boolean;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** Seconds for which a proof is valid. */
const lifetime = 120;

/** A `cnf-proof+jwt`: possession and consent in one. Throws HolderError. */
export async function cnfProof(holder: ConsentingHolder, request: ConsentRequest): Promise<string> {
  const { clientId, thumbprint, certificateThumbprint, resource, scope, nonce } = request;
  const cnf =
    certificateThumbprint === undefined
      ? { jkt: thumbprint }
      : { 'x5t#S256': certificateThumbprint };
  if (clientId === '' || Object.values(cnf)[0] === undefined)
    throw new HolderError('invalid_options', 'proveFor needs clientId and thumbprint of a holder');
  return signedJwt(
    { typ: 'cnf-proof+jwt', kid: holder.kid },
    {
      iss: holder.clientId,
      aud: holder.issuer,
      client_id: clientId,
      cnf,
      ...(holder.byCertificate && { cnf_method: 'x5t#S256' }),
      ...(resource !== undefined && { resource: [resource] }),
      ...(scope !== undefined && { scope }),
      ...(nonce !== undefined && { nonce }),
      jti: randomJti(),
      iat: holder.now,
      exp: holder.now + lifetime,
    },
    holder.key,
  );
}
