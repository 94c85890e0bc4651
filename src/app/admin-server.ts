import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { adminTokenSchemas } from '../admin/admin-token-schemas.ts';
import { type AdminTokenRoutesOptions, adminTokenRoutes } from '../admin/admin-tokens.ts';
import { auditRoutes, auditSchemas } from '../admin/audit-events.ts';
import {
  type AdminAuthenticationOptions,
  adminAuthentication,
} from '../admin/authenticate-admin.ts';
import { admitAdmins } from '../admin/authorization.ts';
import {
  type AuthorizationServerRoutesOptions,
  authorizationServerRoutes,
  authorizationServerSchemas,
} from '../admin/authorization-servers.ts';
import type { BoundAdmins } from '../admin/bound-admins.ts';
import { type ClientRoutesOptions, clientRoutes, clientSchemas } from '../admin/clients.ts';
import type { ConfigurationOptions } from '../admin/configuration/planning.ts';
import { configurationRoutes } from '../admin/configuration/routes.ts';
import { configurationSchemas } from '../admin/configuration/schemas.ts';
import { dpopNonceSecretRoutes, dpopNonceSecretSchemas } from '../admin/dpop-nonce-secrets.ts';
import { jsonBodies } from '../admin/json-body.ts';
import { keyEncryptionKeyRoutes, keyEncryptionKeySchemas } from '../admin/key-encryption-key.ts';
import { metricsRoute } from '../admin/metrics.ts';
import { openapiDocument } from '../admin/openapi.ts';
import { pairingSchemas } from '../admin/pairing-schemas.ts';
import { type PairingRoutesOptions, pairingRoutes } from '../admin/pairings.ts';
import { Problem, problemHandler, problemSchema } from '../admin/problem.ts';
import {
  type ResourceServerRoutesOptions,
  resourceServerRoutes,
  resourceServerSchemas,
} from '../admin/resource-servers.ts';
import { secretSchemas } from '../admin/secret-schemas.ts';
import { signingKeyRoutes, signingKeySchemas } from '../admin/signing-keys.ts';
import { type TokenRoutesOptions, tokenRoutes } from '../admin/tokens.ts';
import { trustRuleRoutes, trustRuleSchemas } from '../admin/trust-rules.ts';
import {
  type TrustedIssuerRoutesOptions,
  trustedIssuerRoutes,
  trustedIssuerSchemas,
} from '../admin/trusted-issuers.ts';
import { tryTokenRoute, tryTokenSchemas } from '../admin/try-token.ts';
import { validators } from '../admin/validators.ts';
import { listener, type Observers } from '../http/listener/listener.ts';
import { headerFields } from '../http/request/header-fields.ts';
import { refuseContentCodings } from '../http/request/message-framing.ts';
import { refuseOtherMethods } from '../http/routes/other-methods.ts';
import {
  changeKeyEncryptionKey,
  type KeyEncryptionKeyOptions,
} from '../keys/change-key-encryption-key.ts';
import type { DpopNonceSecrets } from '../keys/dpop-nonce-secrets.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import type { Scrape } from '../observability/scrape.ts';
import type { AuditLog } from '../ports/audit-trail.ts';
import type { SigningKeyPurpose } from '../ports/signing-key-store.ts';
import type { TryToken } from '../protocol/trusted-issuers/try-token.ts';

export type AdminServerOptions = ClientRoutesOptions &
  ResourceServerRoutesOptions &
  TokenRoutesOptions &
  TrustedIssuerRoutesOptions &
  AuthorizationServerRoutesOptions &
  Omit<PairingRoutesOptions, 'clients'> &
  AdminTokenRoutesOptions &
  ConfigurationOptions &
  AdminAuthenticationOptions &
  Observers & {
    /** Clients as the protocol reads them. */
    readonly clientRegistrations: PairingRoutesOptions['clients'];
    readonly auditLog: AuditLog;
    readonly databaseSeconds: () => Promise<number>;
    readonly signingKeys: Readonly<Record<SigningKeyPurpose, SigningKeys>>;
    readonly nonceSecrets: Pick<DpopNonceSecrets, 'list' | 'replace'>;
    readonly keyEncryption: KeyEncryptionKeyOptions;
    readonly tryToken: TryToken;
    readonly boundAdmins: BoundAdmins;
    readonly scrape: Scrape;
    readonly logger: Logger;
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

/** Compiles the validators of the admin API's requests. */
export const adminValidators = validators(adminSchemas);

/** Creates the admin listener. Every path requires an admin token, even unknown ones. */
export async function adminServer(options: AdminServerOptions): Promise<FastifyInstance> {
  const { randomId, logger } = options;
  const app = listener(logger, randomId, 262_144, options);
  app.setValidatorCompiler(adminValidators);
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
  auditRoutes(app, options.auditLog, options);
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
