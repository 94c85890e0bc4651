import type { ClientRegistration, TlsClientAuthSubject } from '../../domain/client-registration.ts';
import { addressBytes } from '../../x509/address-bytes.ts';
import type { AlternativeNameKind, ClientCertificate } from '../../x509/client-certificate.ts';
import { parseDistinguishedName, sameName } from '../../x509/distinguished-name.ts';
import { registeredCertificateThumbprint } from '../client-keys/registered-certificate.ts';
import { type RegisteredKeys, refuseIfBusy } from '../client-keys/registered-keys.ts';

/** Whether the client registered this certificate (RFC 8705 §2). `now` in milliseconds. */
export function tlsClientAuth(keys: RegisteredKeys) {
  return async (
    certificate: ClientCertificate,
    client: ClientRegistration,
    now: number,
  ): Promise<boolean> => {
    // An expired certificate no longer proves its name; an unsound key proves nothing.
    if (!certificate.validAt(now) || !certificate.keySound) return false;
    if (client.token_endpoint_auth_method === 'tls_client_auth')
      return certificate.chainVerified && subjectMatches(certificate, client);
    return (
      client.token_endpoint_auth_method === 'self_signed_tls_client_auth' &&
      isRegistered(certificate, client, keys)
    );
  };
}

/** Whether this exact certificate is in `x5c` of a registered key (RFC 8705 §2.2). */
async function isRegistered(
  certificate: ClientCertificate,
  client: ClientRegistration,
  keys: RegisteredKeys,
): Promise<boolean> {
  try {
    const registered = await keys.signer(
      client,
      undefined,
      (key) => registeredCertificateThumbprint(key) === certificate['x5t#S256'],
    );
    return registered !== undefined;
  } catch (cause) {
    refuseIfBusy(cause);
    // A key set that cannot be read does not vouch for the certificate.
    return false;
  }
}

const alternatives: readonly (readonly [
  keyof TlsClientAuthSubject,
  AlternativeNameKind,
  (name: string) => string,
])[] = [
  ['tls_client_auth_san_dns', 'dns', lowerCase],
  ['tls_client_auth_san_uri', 'uri', (name) => name],
  ['tls_client_auth_san_email', 'email', (name) => name.replace(/@[^@]*$/, lowerCase)],
];

/** RFC 8705 §2.1.2: exactly one member of the registration names the subject. */
function subjectMatches(certificate: ClientCertificate, client: ClientRegistration): boolean {
  const { tls_client_auth_subject_dn: dn, tls_client_auth_san_ip: ip } = client;
  if (dn !== undefined) return sameName(certificate.subject, parseDistinguishedName(dn));
  if (ip !== undefined)
    return certificate.alternativeNames('ip').some((bytes) => bytes === addressBytes(ip));
  for (const [member, kind, comparable] of alternatives) {
    const registered = client[member];
    if (registered === undefined) continue;
    const wanted = comparable(registered);
    return certificate.alternativeNames(kind).some((name) => comparable(name) === wanted);
  }
  return false;
}

/** Lower-cases ASCII letters only, because Unicode lower-cases the Kelvin sign to k. */
function lowerCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
