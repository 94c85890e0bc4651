#!/usr/bin/env node
import { existsSync } from 'node:fs';

// Plain JavaScript that every Node.js can read: it names the version that is needed before it loads
// anything that an older one cannot.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const checkout = existsSync(new URL('../src/main.ts', import.meta.url));
if (major < 22 || (major === 22 && minor < 18)) {
  const hint = checkout ? ' In a checkout, npx holdfast runs the one that npm ci installs.' : '';
  process.stderr.write(
    `holdfast needs Node.js 22.18 or newer, and this is ${process.versions.node}.${hint}\n`,
  );
  process.exit(5);
}
const built = new URL('../dist/main.js', import.meta.url);
if (process.argv.length < 3) process.argv.push('--help');
await import(existsSync(built) ? built.href : new URL('../src/main.ts', import.meta.url).href);
