import type { ClientConfirmation } from '../../domain/binding.ts';
import type { ClientRegistration } from '../../domain/client-registration.ts';
import type { Confirmation } from '../../domain/confirmation.ts';
import type { ConfirmationMethod } from '../../domain/confirmation-methods.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';
import type { RefusalReason } from '../../domain/refusal-reasons.ts';
import type { ResourceServer } from '../../domain/resource-server.ts';
import type { EncryptionKey } from '../../jose/encryption-key.ts';
import { jkt } from './jkt.ts';
import { jwe, resourceServerEncryptionKey } from './jwe.ts';
import { jwk } from './jwk.ts';
import { jku, kid } from './kid.ts';
import { methodsOfCertificate, x5tS256 } from './x5t-s256.ts';

/** Names the proven key by one method, or returns undefined if it cannot. */
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

/** How the token names its key; `cnfForClient` is set if the client gets something else. */
export interface Confirmed {
  readonly cnf: Confirmation;
  readonly cnfForClient?: ClientConfirmation;
}

/** What a confirmation may need besides the proven key. */
export interface ConfirmOptions {
  /** Symmetric keys are sent in the clear only if this is https. */
  readonly issuer: string;
  /** The client's registered encryption key. Throws an OAuthError if it cannot be read. */
  readonly clientEncryptionKey: (client: ClientRegistration) => Promise<EncryptionKey | undefined>;
}

/** The key to confirm, and why it must be this one. */
export interface KeyToConfirm {
  readonly boundKey: ProvenKey;
  /** True: the client asked for this key in `req_cnf`. */
  readonly keyNamed: boolean;
  /** True: additional holders agreed to share a token with it. */
  readonly shared: boolean;
}

/**
 * Confirms the token by the first possible method in the resource server's list. A key that the
 * client named, or that is shared, is never replaced by a new one. Throws `unsupported_pop_key`.
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
      const audienceKey =
        keyNamed || shared ? undefined : resourceServerEncryptionKey(resourceServer);
      if (audienceKey === undefined) continue;
      const encryptionKey = await clientEncryptionKey(client);
      if (encryptionKey !== undefined || issuer.startsWith('https:'))
        return jwe(audienceKey, encryptionKey);
      inTheClear = true;
      continue;
    }
    const cnf = methods[method](boundKey, client, issuer);
    if (cnf !== undefined) return { cnf };
  }
  // RFC 7800 §4: a symmetric key goes to the client over TLS, or encrypted.
  if (inTheClear) throw new OAuthError('symmetric_key_in_the_clear');
  if (byCertificate && !accepted.includes('x5t#S256'))
    throw new OAuthError('certificate_confirmation_not_accepted');
  const [only, another] = accepted;
  throw new OAuthError(
    only !== undefined && another === undefined
      ? acceptsOnly[only]
      : 'confirmation_method_not_accepted',
  );
}

/** What a client may learn about a resource server that it may request. */
const acceptsOnly = {
  jkt: 'only_jkt_accepted',
  'x5t#S256': 'only_x5t_s256_accepted',
  jwk: 'only_jwk_accepted',
  kid: 'only_kid_accepted',
  jku: 'only_jku_accepted',
  jwe: 'only_jwe_accepted',
} as const satisfies Record<ConfirmationMethod, RefusalReason>;
