import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { readConfigurationFile } from '../../admin/configuration/file.ts';
import type { Config } from '../../config/config.ts';
import { databaseFile, databaseKind } from '../../config/database-url.ts';
import { adminTokenFile } from '../../config/store-config.ts';
import { fileReason } from '../../config/text-file.ts';
import { checkFolders, checkModes } from './check-modes.ts';
import { about, type Finding } from './finding.ts';

/** Minimum free bytes on the database's file system. */
const enoughSpace = 100 * 1024 * 1024;

/** Checks files: space, modes, whether the database is writable. */
export function checkFiles(
  config: Config,
  env: Readonly<Record<string, string | undefined>>,
): readonly Finding[] {
  const database =
    databaseKind(config.databaseUrl) === 'sqlite' ? databaseFile(config.databaseUrl) : undefined;
  const keyFiles = [config.tls?.keyFile, config.adminTls?.keyFile];
  const secrets = Object.entries(env).flatMap(([name, path]) =>
    /(TOKEN|KEY|SECRET|URL|_NEXT)_FILE$/.test(name) ? [path] : [],
  );
  const own = [config.keyEncryptionKeyFile, adminTokenFile(config.keyEncryptionKeyFile)];
  // The database's log contains rows too.
  const ofDatabase = database === undefined ? [] : [database, `${database}-wal`, `${database}-shm`];
  const sink = config.auditSink?.kind === 'file' ? [config.auditSink.path] : [];
  const read = [...secrets, ...declaredSecretFiles(config.configurationFile)];
  return [
    checkSpace(dirname(database ?? config.keyEncryptionKeyFile)),
    ...(database === undefined ? [] : [checkWritable(ofDatabase)]),
    ...checkModes({ data: ofDatabase, sink, secrets: [...own, ...keyFiles, ...read] }),
    ...checkFolders([...ofDatabase, ...own, ...sink]),
  ];
}

function checkSpace(folder: string): Finding {
  const disk = about('disk space', 'at least 100 MiB free', 'operations/sizing.md');
  const existing = existingAbove(folder);
  const { bavail, bsize } = statfsSync(existing);
  const found = `${Math.floor((bavail * bsize) / 1024 / 1024)} MiB free in ${existing}`;
  return bavail * bsize >= enoughSpace
    ? disk.ok(found)
    : disk.fault(found, 'Free some space, or enlarge the volume: without it no token is issued.');
}

function existingAbove(folder: string): string {
  const path = resolve(folder);
  return existsSync(path) ? path : existingAbove(dirname(path));
}

/** Checks whether the files of the database can be written, and others made in their folder. */
function checkWritable(files: readonly string[]): Finding {
  const writable = about('database file', 'can be written', 'operations/backup.md');
  const [file = ''] = files;
  for (const path of [existingAbove(dirname(file)), ...files.filter(existsSync)])
    try {
      accessSync(path, constants.W_OK);
    } catch (error) {
      return writable.fault(
        `${path} cannot be written: ${fileReason(error)}`,
        'Mount the volume for writing, and give the file and its folder to the user of the server.',
      );
    }
  return writable.ok(
    existsSync(file) ? file : `${file} does not exist yet: the first start creates it`,
  );
}

/** The secret files that a configuration file names. */
function declaredSecretFiles(given: Config['configurationFile']): readonly string[] {
  if (given === undefined || !existsSync(given.path)) return [];
  const files: string[] = [];
  const fromFile = (path: string) => {
    files.push(path);
    return given.secrets.fromFile(path);
  };
  readConfigurationFile(given.path, readFileSync(given.path, 'utf8'), {
    ...given.secrets,
    fromFile,
  });
  return files;
}
