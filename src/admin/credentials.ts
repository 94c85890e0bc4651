import Type from 'typebox';
import { type ClientRegistration, signatureJwks } from '../domain/client-registration.ts';
import type { CredentialKind, CredentialUse } from '../domain/credential-use.ts';
import { publicKeyCache } from '../jose/public-key-cache.ts';
import type { CredentialUseLog } from '../ports/credential-use-log.ts';
import { registeredCertificateThumbprint } from '../protocol/client-keys/registered-certificate.ts';

const readPublicKey = publicKeyCache();

const seconds = Type.Integer({
  description: 'Seconds since the epoch, at most a minute behind. Absent: not used within a year.',
});

/** When a credential was last used, as a member of an answer. */
export const lastUsed = { last_used_at: Type.Optional(seconds) };

/** The keys and certificates of a client, and when each was last used. */
export const credentialsAnswer = Type.Object(
  {
    keys: Type.Array(
      Type.Object({
        jkt: Type.String({ description: 'RFC 7638.' }),
        kid: Type.Optional(Type.String()),
        ...lastUsed,
      }),
      {
        description: 'Those in `jwks`; with `jwks_uri`, the 100 most recently used, latest first.',
      },
    ),
    certificates: Type.Array(
      Type.Object({ 'x5t#S256': Type.String({ description: 'RFC 8705 §3.1.' }), ...lastUsed }),
      {
        description:
          'Those in `jwks`; with `tls_client_auth` or `jwks_uri`, the 100 most recently ' +
          'used, latest first.',
      },
    ),
  },
  { additionalProperties: false },
);

/** Reads when each credential was last used: identifier to `last_used_at`. */
export async function lastUsesOf(
  log: CredentialUseLog,
  registrationId: string,
  kind: CredentialKind,
) {
  const uses = await log.usesOf(registrationId, kind);
  const times = new Map(
    uses.map(({ identifier, usedAt }) => [identifier, Math.floor(usedAt / 1000)]),
  );
  const shown = (identifier: string) =>
    times.has(identifier) ? { last_used_at: times.get(identifier) } : {};
  return { uses, shown };
}

/** Lists keys and certificates of a client: those registered by value, and those seen in use. */
export async function credentialsOf(client: ClientRegistration, log: CredentialUseLog) {
  const keys = await lastUsesOf(log, client.registration_id, 'registered_key');
  const certificates = await lastUsesOf(log, client.registration_id, 'certificate');
  const registered = client.jwks && signatureJwks(client).map(readPublicKey);
  const named = client.token_endpoint_auth_method === 'tls_client_auth' ? undefined : registered;
  const thumbprints = named
    ?.map(registeredCertificateThumbprint)
    .filter((thumbprint) => thumbprint !== undefined);
  const identifierOf = ({ identifier }: CredentialUse) => identifier;
  return {
    keys: (
      registered ??
      keys.uses.map(({ identifier, kid }) => ({
        jkt: identifier,
        ...(kid !== undefined && { kid }),
      }))
    ).map(({ jkt, kid }) => ({
      jkt,
      ...(kid !== undefined && { kid }),
      ...keys.shown(jkt),
    })),
    certificates: (thumbprints ?? certificates.uses.map(identifierOf)).map((thumbprint) => ({
      'x5t#S256': thumbprint,
      ...certificates.shown(thumbprint),
    })),
  };
}
