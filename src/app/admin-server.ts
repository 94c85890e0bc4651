import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { adminTokenSchemas } from '../admin/admin-token-schemas.ts';
import { adminTokenRoutes } from '../admin/admin-tokens.ts';
import { auditRoutes, auditSchemas } from '../admin/audit-events.ts';
import { adminAuthentication } from '../admin/authenticate-admin.ts';
import { admitAdmins } from '../admin/authorization.ts';
import {
  type AuthorizationServerRoutesOptions,
  authorizationServerRoutes,
  authorizationServerSchemas,
} from '../admin/authorization-servers.ts';
import type { BoundAdmins } from '../admin/bound-admins.ts';
import type { MayBeFetched } from '../admin/check-jwks-uri.ts';
import { clientRoutes, clientSchemas } from '../admin/clients.ts';
import { configurationRoutes } from '../admin/configuration/routes.ts';
import { configurationSchemas } from '../admin/configuration/schemas.ts';
import { dpopNonceSecretRoutes, dpopNonceSecretSchemas } from '../admin/dpop-nonce-secrets.ts';
import { jsonBodies } from '../admin/json-body.ts';
import { keyEncryptionKeyRoutes, keyEncryptionKeySchemas } from '../admin/key-encryption-key.ts';
import { metricsRoute } from '../admin/metrics.ts';
import { openapiDocument } from '../admin/openapi.ts';
import { pairingSchemas } from '../admin/pairing-schemas.ts';
import { pairingRoutes } from '../admin/pairings.ts';
import { Problem, problemHandler, problemSchema } from '../admin/problem.ts';
import { resourceServerRoutes, resourceServerSchemas } from '../admin/resource-servers.ts';
import { secretSchemas } from '../admin/secret-schemas.ts';
import { signingKeyRoutes, signingKeySchemas } from '../admin/signing-keys.ts';
import { tokenRoutes } from '../admin/tokens.ts';
import { trustRuleRoutes, trustRuleSchemas } from '../admin/trust-rules.ts';
import { trustedIssuerRoutes, trustedIssuerSchemas } from '../admin/trusted-issuers.ts';
import { tryTokenRoute, tryTokenSchemas } from '../admin/try-token.ts';
import type { Clock } from '../domain/clock.ts';
import { listener, type Validation } from '../http/listener/listener.ts';
import { headerFields } from '../http/request/header-fields.ts';
import { refuseContentCodings } from '../http/request/message-framing.ts';
import { refuseOtherMethods } from '../http/routes/other-methods.ts';
import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import {
  changeKeyEncryptionKey,
  type KeyEncryptionKeyOptions,
} from '../keys/change-key-encryption-key.ts';
import type { DpopNonceSecrets } from '../keys/dpop-nonce-secrets.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import type { Scrape } from '../observability/scrape.ts';
import type { AdminTokens } from '../ports/admin-tokens.ts';
import type { AuditLog } from '../ports/audit-trail.ts';
import type { ConfigurationChanges } from '../ports/configuration.ts';
import type { CredentialUseLog } from '../ports/credential-use-log.ts';
import type { IssuedTokens } from '../ports/issued-tokens.ts';
import type { Measurements } from '../ports/measurements.ts';
import type { PairingRegistry } from '../ports/pairing-registry.ts';
import type { ClientRegistrations, RandomId, ResourceServers } from '../ports/ports.ts';
import type { ClientRegistry, ResourceServerRegistry } from '../ports/registry.ts';
import type { SharedSecretStore, SigningKeyPurpose } from '../ports/signing-key-store.ts';
import type { Tracing } from '../ports/tracing.ts';
import type { TrustedIssuerRegistry } from '../ports/trusted-issuer-registry.ts';
import type { TryToken } from '../protocol/trusted-issuers/try-token.ts';

/** What the admin listener stands on. */
export interface AdminServerOptions {
  readonly issuer: string;
  readonly clients: ClientRegistry;
  readonly resourceServers: ResourceServerRegistry & ResourceServers;
  /** Clients as the protocol reads them. */
  readonly clientRegistrations: ClientRegistrations;
  readonly pairings: PairingRegistry;
  readonly trustedIssuers: TrustedIssuerRegistry;
  readonly authorizationServers: AuthorizationServerRoutesOptions['authorizationServers'];
  readonly configuration: ConfigurationChanges;
  readonly auditLog: AuditLog;
  readonly issuedTokens: IssuedTokens;
  readonly credentialUses: CredentialUseLog;
  readonly signingKeys: Readonly<Record<SigningKeyPurpose, SigningKeys>>;
  readonly nonceSecrets: Pick<DpopNonceSecrets, 'list' | 'replace'>;
  readonly keyEncryption: KeyEncryptionKeyOptions;
  /** Whether a `jwks_uri` may ever be fetched. */
  readonly mayBeFetched: MayBeFetched;
  /** False: there is no directory for files of trust bundles. */
  readonly hasTrustBundleDirectory: boolean;
  /** Tries tokens of trusted issuers. */
  readonly tryToken: TryToken;
  readonly clock: Clock;
  readonly randomId: RandomId;
  /** base64url SHA-256 of the first admin token. */
  readonly bootstrapHash: string;
  readonly adminTokens: AdminTokens;
  readonly boundAdmins: BoundAdmins;
  readonly secrets: SharedSecretStore;
  /**
   * Makes the signing key before a resource server is stored, so that the JWK Set has it before the
   * first token.
   */
  readonly ensureSigningKey: (alg: AccessTokenSigningAlgorithm) => Promise<void>;
  readonly maxAccessTokenLifetime: number;
  readonly scrape: Scrape;
  readonly measured: Pick<Measurements, 'request'>;
  readonly tracing: Tracing | undefined;
  readonly logger: Logger;
}

/** Validates requests as they were sent: nothing is dropped, converted or filled in. */
export const strict: Validation = {
  ajv: {
    customOptions: {
      removeAdditional: false,
      coerceTypes: false,
      useDefaults: false,
      allErrors: true,
      allowUnionTypes: true,
      // With the schema beside each fault, so that a refusal can name the nearest known member.
      verbose: true,
    },
  },
};

/** The schemas that routes of the admin API refer to. */
export const adminSchemas = [
  problemSchema,
  ...clientSchemas,
  ...resourceServerSchemas,
  ...secretSchemas,
  ...auditSchemas,
  ...signingKeySchemas,
  ...dpopNonceSecretSchemas,
  ...keyEncryptionKeySchemas,
  ...trustedIssuerSchemas,
  ...authorizationServerSchemas,
  ...trustRuleSchemas,
  ...tryTokenSchemas,
  ...pairingSchemas,
  ...adminTokenSchemas,
  ...configurationSchemas,
];

/** Makes the admin listener. Every path needs an admin token, even unknown ones. */
export async function adminServer(options: AdminServerOptions): Promise<FastifyInstance> {
  const { clock, randomId, logger } = options;
  const app = listener(logger, randomId, 262_144, strict, options);
  refuseContentCodings(app);
  app.setErrorHandler(problemHandler);
  app.setNotFoundHandler((request, reply) =>
    problemHandler(new Problem(404, 'there is nothing at this path'), request, reply),
  );
  admitAdmins(app, adminAuthentication(options), options.boundAdmins, headerFields);
  jsonBodies(app);
  refuseOtherMethods(app, () => {
    throw new Problem(405, 'the method is not for this path');
  });
  await openapiDocument(app, adminSchemas);

  clientRoutes(app, options);
  resourceServerRoutes(app, options);
  tokenRoutes(app, options);
  auditRoutes(app, options.auditLog, clock);
  signingKeyRoutes(app, options.signingKeys);
  dpopNonceSecretRoutes(app, options.nonceSecrets);
  keyEncryptionKeyRoutes(app, async () => changeKeyEncryptionKey(options.keyEncryption));
  trustedIssuerRoutes(app, options);
  authorizationServerRoutes(app, options);
  trustRuleRoutes(app, options);
  tryTokenRoute(app, options);
  pairingRoutes(app, { ...options, clients: options.clientRegistrations });
  adminTokenRoutes(app, options);
  configurationRoutes(app, options);
  metricsRoute(app, options.scrape);
  return app;
}
