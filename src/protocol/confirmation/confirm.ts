import type { ClientConfirmation } from '../../domain/binding.ts';
import type { ClientRegistration } from '../../domain/client-registration.ts';
import type { Confirmation } from '../../domain/confirmation.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';
import type { ConfirmationMethod, ResourceServer } from '../../domain/resource-server.ts';
import type { EncryptionKey } from '../../jose/encryption-key.ts';
import { jkt } from './jkt.ts';
import { jwe, symmetricKeyRecipient } from './jwe.ts';
import { jwk } from './jwk.ts';
import { jku, kid } from './kid.ts';
import { methodsOfCertificate, x5tS256 } from './x5t-s256.ts';

/** Each of these methods names the proven key, or answers undefined where it cannot. */
type Name = (
  proven: ProvenKey,
  client: ClientRegistration,
  issuer: string,
) => Confirmation | undefined;
const methods: Record<Exclude<ConfirmationMethod, 'jwe'>, Name> = {
  jkt,
  'x5t#S256': x5tS256,
  jwk,
  kid,
  jku,
};

/** How the token names its key, and what the client is told where that is not the same. */
export interface Confirmed {
  readonly cnf: Confirmation;
  readonly cnfForClient?: ClientConfirmation;
}

/** What a confirmation may need beside the proven key. */
export interface ConfirmOptions {
  /** Symmetric keys leave in the clear only where this is https. */
  readonly issuer: string;
  /** The key that the client registered for what is encrypted to it. Throws OAuthError when that cannot be found out. */
  readonly clientEncryptionKey: (client: ClientRegistration) => Promise<EncryptionKey | undefined>;
}

/** The key to confirm, and why it must be this very one. */
export interface KeyToConfirm {
  readonly boundKey: ProvenKey;
  /** True: the client asked for this very key by `req_cnf`. */
  readonly keyNamed: boolean;
  /** True: additional holders agreed to share a token with it. */
  readonly shared: boolean;
}

/**
 * Confirms the token in the first way of the resource server's list that is possible. A key that
 * the client named, or that is shared, is confirmed itself. Throws `unsupported_pop_key`.
 */
export async function confirm(
  { boundKey, keyNamed, shared }: KeyToConfirm,
  client: ClientRegistration,
  resourceServer: ResourceServer,
  { issuer, clientEncryptionKey }: ConfirmOptions,
): Promise<Confirmed> {
  let inTheClear = false;
  const { cnf_methods_supported: accepted } = resourceServer;
  const byCertificate = boundKey.provenBy === 'tls_handshake' && !keyNamed;
  for (const method of byCertificate ? methodsOfCertificate(accepted) : accepted) {
    if (method === 'jwe') {
      const recipient = keyNamed || shared ? undefined : symmetricKeyRecipient(resourceServer);
      if (recipient === undefined) continue;
      const encryptionKey = await clientEncryptionKey(client);
      if (encryptionKey !== undefined || issuer.startsWith('https:'))
        return jwe(recipient, encryptionKey);
      inTheClear = true;
      continue;
    }
    const cnf = methods[method](boundKey, client, issuer);
    if (cnf !== undefined) return { cnf };
  }
  // RFC 7800 §4: a symmetric key goes to the client over TLS, or encrypted.
  if (inTheClear)
    throw new OAuthError(
      'unsupported_pop_key',
      'a symmetric key is sent over https only, or to an encryption key that the client registered',
      {
        reason: 'symmetric_key_in_the_clear',
      },
    );
  if (byCertificate && !accepted.includes('x5t#S256'))
    throw new OAuthError(
      'unsupported_pop_key',
      'a certificate-bound token needs x5t#S256 registered in cnf_methods_supported of the resource server',
      { reason: 'certificate_confirmation_not_accepted' },
    );
  const [only, another] = accepted;
  throw new OAuthError(
    'unsupported_pop_key',
    only !== undefined && another === undefined ? acceptsOnly[only] : acceptsNone,
    {
      reason: 'confirmation_method_not_accepted',
    },
  );
}

const acceptsNone =
  'the resource server does not accept a confirmation method that this key can be named by';

/** What a client may know that has been allowed to ask for this resource server, where one constant sentence can say it. */
const acceptsOnly = {
  jkt: 'the resource server accepts only jkt, by which this key cannot be named',
  'x5t#S256': 'the resource server accepts only x5t#S256, by which this key cannot be named',
  jwk: 'the resource server accepts only jwk, by which this key cannot be named',
  kid: 'the resource server accepts only kid, by which this key cannot be named',
  jku: 'the resource server accepts only jku, by which this key cannot be named',
  jwe: 'the resource server accepts only jwe, by which this key cannot be named',
} as const satisfies Record<ConfirmationMethod, string>;
