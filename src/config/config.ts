import { readFileSync } from 'node:fs';
import { type AuditConfig, readAuditConfig } from './audit-config.ts';
import { type DeclaredSecrets, declaredSecrets } from './declared-secrets.ts';
import { type DevelopmentConfig, developmentBanner, readDevelopmentConfig } from './development.ts';
import { environmentReader } from './environment.ts';
import { type GatewayConfig, readGatewayConfig } from './gateway-config.ts';
import { type ListenerConfig, readListenerConfig } from './listener-config.ts';
import { listenerPlaces, sharedPortFaults } from './listener-places.ts';
import { type OperationConfig, readOperationConfig } from './operation-config.ts';
import { type ProtocolConfig, readProtocolConfig } from './protocol-config.ts';
import { adminTokenFile, readStoreConfig, type StoreConfig } from './store-config.ts';
import { misspeltVariables, renamedVariables } from './variable-names.ts';

/** Everything an operator can set. Times in seconds unless a name says otherwise. */
export interface Config
  extends ListenerConfig,
    StoreConfig,
    ProtocolConfig,
    OperationConfig,
    AuditConfig,
    DevelopmentConfig {
  /** The listener for gateways; undefined: not configured. */
  readonly gateway?: GatewayConfig;
  /** Sentences for the log about dangerous or probably unintended settings. */
  readonly warnings: readonly string[];
  /** The configuration file, and the secrets that it may name. */
  readonly configurationFile?: { readonly path: string; readonly secrets: DeclaredSecrets };
}

/** The environment has faults; the message lists all of them. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the environment and the files that `NAME_FILE` variables name; an empty variable counts as
 * unset. Throws ConfigError.
 */
export function readConfig(...args: Parameters<typeof examineConfig>): Config {
  const { config, faults } = examineConfig(...args);
  if (faults.length > 0) throw new ConfigError(listOfFaults(faults));
  return config;
}

/** The message of a ConfigError that lists these faults. */
export function listOfFaults(faults: readonly string[]): string {
  return `The environment has faults:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`;
}

/** Like `readConfig`, but returns the faults; with any, only what they do not concern is right. */
export function examineConfig(
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): { readonly config: Config; readonly faults: readonly string[] } {
  const read = environmentReader(env, readFile);
  const listeners = readListenerConfig(read);
  const gateway = readGatewayConfig(read, listeners.clientCertificateHeader !== undefined);
  const development = readDevelopmentConfig(read, listeners, gateway);
  read.faults.push(...sharedPortFaults(listenerPlaces(listeners, gateway)));
  const stores = readStoreConfig(read);
  const path = read.text('CONFIG_FILE');
  const config: Config = {
    ...stores,
    ...listeners,
    ...readProtocolConfig(read),
    ...readOperationConfig(read),
    ...readAuditConfig(read),
    ...development,
    ...(gateway !== undefined && { gateway }),
    ...(path !== undefined && {
      configurationFile: {
        path,
        secrets: declaredSecrets(env, [
          stores.keyEncryptionKeyFile,
          adminTokenFile(stores.keyEncryptionKeyFile),
        ]),
      },
    }),
    warnings: [
      ...(development.development ? [developmentBanner] : []),
      ...misspeltVariables(env, namedIn(path, readFile)),
      ...listeners.warnings,
    ],
  };
  return { config, faults: [...renamedVariables(env), ...read.faults] };
}

/** The variables that the configuration file names as secrets, if it can be read. */
function namedIn(
  path: string | undefined,
  readFile: (path: string) => string,
): ReadonlySet<string> {
  if (path === undefined) return new Set();
  try {
    return new Set([...readFile(path).matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => name));
  } catch {
    return new Set();
  }
}
