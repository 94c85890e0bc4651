import { readFileSync, realpathSync } from 'node:fs';
import { fileReason, utf8Text } from './text-file.ts';
import { variableNames } from './variable-names.ts';

/** Secrets that a configuration file may name. Both methods throw an Error with a sentence. */
export interface DeclaredSecrets {
  readonly fromVariable: (name: string) => string;
  readonly fromFile: (path: string) => string;
}

/** Maximum bytes of a secret's file, far more than any secret has. */
const longestFile = 65_536;

const ownVariables: ReadonlySet<string> = new Set(variableNames);

/**
 * Secrets from the environment and files, except Holdfast's own: its variables, the files that
 * these name, and `ownFiles`. No sentence contains a value.
 */
export function declaredSecrets(
  env: Readonly<Record<string, string | undefined>>,
  ownFiles: readonly string[] = [],
): DeclaredSecrets {
  const named = Object.entries(env).filter(
    ([name]) => (ownVariables.has(name) || name.startsWith('HOLDFAST_')) && name.endsWith('_FILE'),
  );
  const own = [...ownFiles, ...named.map(([, path]) => path ?? '')];
  return {
    fromVariable(name) {
      if (ownVariables.has(name) || name.startsWith('HOLDFAST_'))
        throw new Error(`${name} is a variable of Holdfast itself; give the secret another name`);
      const value = env[name];
      if (value === undefined || value === '') throw new Error(`the variable ${name} is not set`);
      return value;
    },
    fromFile(path) {
      if (own.some((file) => isSame(file, path)))
        throw new Error('this is a file of Holdfast itself');
      const text = readSecret(path).replace(/\r?\n$/, '');
      if (text === '' || text.length > longestFile)
        throw new Error(`the file must have a value, of ${longestFile} bytes at most`);
      return text;
    },
  };
}

function readSecret(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new Error(`the file cannot be read: ${fileReason(error)}`);
  }
  const text = utf8Text(bytes);
  if (text === undefined) throw new Error('the file is not UTF-8');
  return text;
}

function isSame(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false;
  }
}
