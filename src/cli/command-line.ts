import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageFolder } from '../config/package-folder.ts';

/** What to write, and the exit code. */
export interface CommandLineAnswer {
  readonly text: string;
  readonly exitCode: 0 | 2;
}

const help = `Usage: node src/main.ts [--help | --version]

Starts Holdfast, an OAuth 2.0 authorization server whose access tokens only work for
the holder of a key. It has no other arguments: environment variables configure it, and
without any it serves http://localhost:8080 from an embedded database in data/.

  ISSUER                  issuer identifier, such as https://as.example.com
  HOST, PORT              public listener (localhost, 8080)
  ADMIN_HOST, ADMIN_PORT  admin listener (127.0.0.1, 8081)
  ADMIN_TOKEN             admin token; made on the first start where it is not set
  DATABASE_URL            file:PATH or postgresql://… (file:data/holdfast.db)
  REDIS_URL               Redis for replay records

docs/reference/configuration.md lists all of them. ADMIN_TOKEN_FILE, DATABASE_URL_FILE and
REDIS_URL_FILE name files with the value. A fault in a variable stops the start with a sentence.
`;

/** The answer to these arguments; undefined: there are none, and the server is to start. */
export function answerArguments(args: readonly string[]): CommandLineAnswer | undefined {
  const [first, second] = args;
  if (first === undefined) return undefined;
  if (second === undefined && (first === '--help' || first === '-h'))
    return { text: help, exitCode: 0 };
  if (second === undefined && first === '--version')
    return { text: `holdfast ${version()}\n`, exitCode: 0 };
  const unknown = first === '--help' || first === '-h' || first === '--version' ? second : first;
  return {
    text: `Holdfast does not know the argument ${JSON.stringify(unknown)}, and did not start. Environment variables configure it: see --help.\n`,
    exitCode: 2,
  };
}

function version(): string {
  const text = readFileSync(join(packageFolder, 'package.json'), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
