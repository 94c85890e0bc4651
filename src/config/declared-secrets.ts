import { readFileSync, realpathSync } from 'node:fs';
import { variableNames } from './variable-names.ts';

/** What a configuration file may name as a secret. Both throw an Error with a sentence. */
export interface DeclaredSecrets {
  readonly fromVariable: (name: string) => string;
  readonly fromFile: (path: string) => string;
}

/** Bytes of a secret's file, far more than any secret has. */
const longestFile = 65_536;

const ownVariables: ReadonlySet<string> = new Set(variableNames);

/**
 * Secrets of the environment and of files, but never those of Holdfast itself: neither its
 * variables nor the files that these name, nor `ownFiles`. No value is ever in a sentence.
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
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`the file cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function isSame(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false;
  }
}
