import ipaddr from 'ipaddr.js';
import { type AlternativeNameKind, type ClientCertificate, parseDistinguishedName, type RelativeName } from '../client-certificate.ts';
import type { ClientRegistration, TlsClientAuthSubject } from '../client-registration.ts';
import { registeredCertificateThumbprint } from '../registered-certificate.ts';
import type { RegisteredKeys } from '../registered-keys.ts';

/** Whether the certificate is the one that the client registered, by its method (RFC 8705 §2). `now` in milliseconds. */
export function tlsClientAuth(keys: RegisteredKeys) {
  return async (certificate: ClientCertificate, client: ClientRegistration, now: number): Promise<boolean> => {
    // An expired certificate proves its key but no longer its name; one choice for both methods.
    if (!certificate.validAt(now)) return false;
    if (client.token_endpoint_auth_method === 'tls_client_auth') return certificate.chainVerified && subjectMatches(certificate, client);
    return client.token_endpoint_auth_method === 'self_signed_tls_client_auth' && isRegistered(certificate, client, keys);
  };
}

/** RFC 8705 §2.2: the very certificate, in `x5c` of a registered key. */
async function isRegistered(certificate: ClientCertificate, client: ClientRegistration, keys: RegisteredKeys): Promise<boolean> {
  for (const fresh of client.jwks_uri === undefined ? [false] : [false, true]) {
    try {
      const registered = await keys.all(client, fresh);
      if (registered.some((key) => registeredCertificateThumbprint(key) === certificate['x5t#S256'])) return true;
    } catch {
      // A set that cannot be read says nothing for the certificate.
    }
  }
  return false;
}

const alternatives: readonly (readonly [keyof TlsClientAuthSubject, AlternativeNameKind, (name: string) => string | undefined])[] = [
  ['tls_client_auth_san_dns', 'dns', (name) => name.toLowerCase()],
  ['tls_client_auth_san_uri', 'uri', (name) => name],
  ['tls_client_auth_san_ip', 'ip', addressOctets],
  ['tls_client_auth_san_email', 'email', (name) => name.replace(/@[^@]*$/, (domain) => domain.toLowerCase())],
];

/** RFC 8705 §2.1.2: exactly one member of the registration names the subject. */
function subjectMatches(certificate: ClientCertificate, client: ClientRegistration): boolean {
  const { tls_client_auth_subject_dn: dn } = client;
  if (dn !== undefined) return sameName(certificate.subject, parseDistinguishedName(dn));
  for (const [member, kind, comparable] of alternatives) {
    const registered = client[member];
    if (registered === undefined) continue;
    const wanted = comparable(registered);
    return wanted !== undefined && certificate.alternativeNames(kind).some((name) => comparable(name) === wanted);
  }
  return false;
}

/** distinguishedNameMatch (RFC 4517 §4.2.15). A string lists the names from the last to the first (RFC 4514 §2.1), yet many tools print them in the order of the certificate. */
function sameName(one: readonly RelativeName[], other: readonly RelativeName[]): boolean {
  const text = (names: readonly RelativeName[]) => JSON.stringify(names.map(comparableRelative));
  return one.length > 0 && (text(one) === text(other) || text(one) === text([...other].reverse()));
}

/** caseIgnoreMatch (RFC 4518 §2): without regard to case and to the number of inner spaces. */
function comparableRelative(relative: RelativeName): readonly string[] {
  return relative.map(([type, value]) => JSON.stringify([type, value.normalize('NFKC').toLowerCase().trim().replace(/ +/g, ' ')])).sort();
}

/** One text for every spelling of an IP address. */
function addressOctets(text: string): string | undefined {
  return ipaddr.isValid(text) ? ipaddr.parse(text).toByteArray().join('.') : undefined;
}
