/**
 * `script/setup` on machines of all kinds: what it installs, what it says, and that it changes nothing where it may not.
 */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Sandbox } from './sandbox.ts';

/** Shell text of an apt-get that installs FFmpeg of that version. */
function aptInstallsFfmpeg(sandbox: Sandbox, version: string): string {
  sandbox.link('chmod');
  const ffmpeg = `${sandbox.root}/bin/ffmpeg`;
  return `case "$*" in *install*) printf '#!/bin/sh\\n%s\\n' "${sandbox.ffmpegText(version)}" >${ffmpeg}; chmod +x ${ffmpeg};; esac`;
}

function sandboxWithFfmpeg(): Sandbox {
  const sandbox = new Sandbox();
  sandbox.stub('ffmpeg', sandbox.ffmpegText('5.1.9'));
  return sandbox;
}

describe('script/setup without root or sudo', () => {
  it('prints the one install command, changes nothing and exits 1', async () => {
    using sandbox = new Sandbox();
    sandbox.stub('apt-get', 'exit 1');
    expect(await sandbox.run('setup')).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'headwater: missing: FFmpeg (not found). Install with: sudo apt-get update && sudo apt-get install -y ffmpeg\n',
    });
    expect(sandbox.calls).toEqual([]);
    expect(sandbox.has('node_modules')).toBe(false);
  });

  it('does not ask for a password', async () => {
    using sandbox = new Sandbox();
    sandbox.stub('apt-get', 'exit 1');
    sandbox.stub('sudo', '[ "$1" = -n ] && exit 1; exit 99');
    expect((await sandbox.run('setup')).code).toBe(1);
    expect(sandbox.calls).toEqual(['sudo -n true']);
  });

  it('names all that the tests need in one command', async () => {
    using sandbox = new Sandbox();
    sandbox.stub('apt-get', 'exit 1');
    expect((await sandbox.run('setup', '--test')).stderr).toBe(
      'headwater: missing: FFmpeg (not found), redis-server, Chromium. Install with: sudo apt-get update && sudo apt-get install -y ffmpeg redis-server chromium\n',
    );
  });

  it('uses what is on PATH', async () => {
    using sandbox = new Sandbox();
    sandbox.stub('ffmpeg', sandbox.ffmpegText('5.1.9-0+deb12u1'));
    expect(await sandbox.run('setup')).toEqual({ code: 0, stdout: '', stderr: 'headwater: installing npm packages\n' });
    expect(sandbox.calls).toEqual(['npm ci --omit=dev --no-audit --no-fund']);
  });

  it.each([
    [
      'an old version',
      '4.4.2-0ubuntu0.22.04.1',
      'libx264',
      'is version 4.4.2-0ubuntu0.22.04.1, 5.1 or later is needed',
    ],
    ['5.0', '5.0.3', 'libx264', 'is version 5.0.3, 5.1 or later is needed'],
    ['one without libx264', '7.1', 'libopenh264', 'has no libx264 encoder'],
  ])('says what is wrong with FFmpeg: %s', async (_, version, encoder, wrong) => {
    using sandbox = new Sandbox();
    sandbox.stub('apt-get', 'exit 1');
    sandbox.stub('ffmpeg', sandbox.ffmpegText(version, encoder));
    expect((await sandbox.run('setup')).stderr).toContain(`missing: FFmpeg (${wrong}).`);
  });

  it.each(['5.1', 'n7.1', '8.0.1', 'N-119000-gabcdef', '10.0'])('takes FFmpeg %s', async (version) => {
    using sandbox = new Sandbox();
    sandbox.stub('ffmpeg', sandbox.ffmpegText(version));
    expect((await sandbox.run('setup')).code).toBe(0);
  });

  it('speaks Homebrew on macOS', async () => {
    using sandbox = new Sandbox();
    sandbox.stub('uname', 'echo Darwin');
    expect(await sandbox.run('setup', '--test')).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'headwater: missing: FFmpeg (not found), redis-server, Chromium. Install with: brew install ffmpeg redis chromium\n',
    });
    expect(sandbox.has('node_modules')).toBe(false);
  });
});

describe('script/setup as root', () => {
  it('installs FFmpeg, then the npm packages', async () => {
    using sandbox = new Sandbox();
    sandbox.stub('id', 'echo 0');
    sandbox.stub('apt-cache', "echo '  Candidate: 7:5.1.9-0+deb12u1'");
    sandbox.stub('apt-get', aptInstallsFfmpeg(sandbox, '5.1.9'));
    expect(await sandbox.run('setup')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'headwater: installing with apt-get: ffmpeg\nheadwater: installing npm packages\n',
    });
    expect(sandbox.calls.filter((call) => call.startsWith('apt-get'))).toEqual([
      'apt-get update -qq',
      'apt-get -o DPkg::Lock::Timeout=60 install -y --no-install-recommends ffmpeg',
    ]);
  });

  it('installs no FFmpeg that is too old', async () => {
    using sandbox = new Sandbox();
    sandbox.stub('id', 'echo 0');
    sandbox.stub('apt-cache', "echo '  Candidate: 7:4.4.2-0ubuntu0.22.04.1'");
    sandbox.stub('apt-get', 'exit 0');
    const { code, stderr } = await sandbox.run('setup');
    expect(code).toBe(1);
    expect(stderr).toContain("this system's packages offer FFmpeg 4.4.2-0ubuntu0.22.04.1, 5.1 or later is needed");
    expect(sandbox.calls.some((call) => call.includes(' install '))).toBe(false);
  });

  it('says in one line why apt-get failed', async () => {
    using sandbox = new Sandbox();
    sandbox.stub('id', 'echo 0');
    sandbox.stub('apt-cache', 'exit 0');
    sandbox.stub('apt-get', 'case "$*" in *install*) echo \'E: Unable to locate package ffmpeg\'; exit 100;; esac');
    const { code, stderr } = await sandbox.run('setup');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^headwater: apt-get install failed: E: Unable to locate package ffmpeg \(run ".*" to see all of it\)$/m,
    );
    expect(sandbox.has('node_modules')).toBe(false);
  });
});

describe('npm packages', () => {
  it('are left alone when nothing changed', async () => {
    using sandbox = sandboxWithFfmpeg();
    await sandbox.run('setup');
    sandbox.forgetCalls();
    expect(await sandbox.run('setup')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(sandbox.calls).toEqual([]);
  });

  it('are installed again when the lock changed, and a developed folder stays one', async () => {
    using sandbox = sandboxWithFfmpeg();
    await sandbox.run('setup');
    sandbox.write('node_modules/vitest/package.json', '{}');
    sandbox.write('package-lock.json', '{"changed":true}');
    sandbox.forgetCalls();
    expect((await sandbox.run('setup')).code).toBe(0);
    expect(sandbox.calls).toEqual(['npm ci --no-audit --no-fund']);
  });

  it('for development are added for the tests', async () => {
    using sandbox = sandboxWithFfmpeg();
    sandbox.stub('redis-server', 'exit 0');
    sandbox.stub('chromium', 'exit 0');
    await sandbox.run('setup');
    sandbox.forgetCalls();
    expect((await sandbox.run('setup', '--test')).code).toBe(0);
    expect(sandbox.calls).toEqual(['npm ci --no-audit --no-fund']);
  });

  it('that cannot be installed are one line', async () => {
    using sandbox = sandboxWithFfmpeg();
    sandbox.stub(
      'npm',
      "echo 'npm warn old lockfile'; echo 'npm error code ENOTFOUND'; echo 'npm error network no registry'; exit 1",
    );
    const { code, stderr } = await sandbox.run('setup');
    expect(code).toBe(1);
    expect(stderr).toBe(
      'headwater: installing npm packages\n' +
        'headwater: npm ci failed: npm error code ENOTFOUND npm error network no registry (run "npm ci --omit=dev --no-audit --no-fund" to see all of it)\n',
    );
  });
});

describe('script/server', () => {
  it('becomes the program, so that SIGTERM reaches it, and passes arguments on', async () => {
    using sandbox = new Sandbox();
    sandbox.stub('ffmpeg', sandbox.ffmpegText('5.1.9'));
    sandbox.write(
      'local/main.ts',
      `process.once('SIGTERM', () => { console.log('drained'); process.exit(0); });
       setInterval(() => undefined, 1000);
       console.log(JSON.stringify({ pid: process.pid, args: process.argv.slice(2) }));`,
    );
    const child = sandbox.start('server', ['--demo', 'a b']);
    const [ready] = (await once(child.stdout ?? child, 'data')) as [Buffer];
    expect(JSON.parse(ready.toString())).toEqual({ pid: child.pid, args: ['--demo', 'a b'] });
    const drained = once(child.stdout ?? child, 'data');
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    expect(String((await drained)[0])).toBe('drained\n');
    expect(await exited).toEqual([0, null]);
  });
});
