/**
 * Each program reaches what its code needs, and the table of docs/deploy.md says which that is.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './package_stack.ts';
import { codeOf, programsOf } from './programs.ts';
import type { Program, ProgramCode } from './programs.ts';
import { canReach, routesToInternet, rulesOf } from './reachability.ts';
import type { Target } from './reachability.ts';
import { referred, resourcesOf } from './template.ts';
import type { DecidedStack } from './template.ts';

export interface Stacks {
  /** As the first deployment of a new account makes it: no image, no names of one's own. */
  readonly first: DecidedStack;
  /** With an image and a webhook for events. */
  readonly full: DecidedStack;
  /** With everything that can be set. */
  readonly everything: DecidedStack;
}

const BY_PACKAGE: Readonly<Record<string, Target>> = {
  ioredis: 'redis',
  '@aws-sdk/client-sqs': 'aws:sqs',
  '@aws-sdk/client-lambda': 'aws:lambda',
  '@aws-sdk/client-s3': 'aws:s3',
  '@aws-sdk/client-secrets-manager': 'aws:secretsmanager',
};
const BY_FILE: Readonly<Record<string, readonly Target[]>> = {
  'functions/guarded_post.ts': ['internet'],
  'functions/ask_owner.ts': ['media'],
  'transcoder/takeover_control.ts': ['media'],
  'transcoder/ecs/deployment_watch.ts': ['aws:ecs'],
  'transcoder/relay/session_relays.ts': ['internet'],
  'origin-edge/entry/node_fetch_upstream.ts': ['media'],
  'origin-edge/src/recording/s3_source.ts': ['aws:s3'],
  // A function URL is a public address.
  'origin-edge/src/resolve_over_http.ts': ['internet'],
};
/** What starts a task: its image, its secrets, its log. */
const OF_TASKS: readonly Target[] = ['aws:ecr', 'aws:layers', 'aws:secretsmanager', 'aws:logs'];

function needsOf({ kind, environment }: Program, { files, packages }: ProgramCode): ReadonlySet<Target> {
  // An edge without REDIS_URL asks the look-up function.
  const used = [...packages].filter((name) => name !== 'ioredis' || 'REDIS_URL' in environment);
  return new Set([
    ...(kind === 'task' ? OF_TASKS : []),
    ...used.flatMap((name) => BY_PACKAGE[name] ?? []),
    ...files.flatMap((file) => BY_FILE[file] ?? []),
  ]);
}

const COLUMNS: readonly Target[] = ['redis', 'aws:sqs', 'aws:s3', 'aws:lambda', 'media', 'internet'];

function placeOf({ network }: Program): string {
  if (network === undefined) return 'outside the VPC';
  return network.publicAddress ? 'public subnets' : 'isolated subnets';
}

export function reachabilitySuite(stacks: () => Stacks): void {
  describe('the network', () => {
    it('lets every program reach what its code needs', async () => {
      for (const stack of [stacks().first, stacks().full]) {
        for (const program of programsOf(stack)) {
          const needs = [...needsOf(program, await codeOf(program.entry))];
          expect([program.name, needs.filter((target) => !canReach(stack, program, target))]).toEqual([
            program.name,
            [],
          ]);
        }
      }
    });

    it.each([
      ['SqsEndpoint', 'registry aws:sqs'],
      ['LambdaEndpoint', 'reapSessions aws:lambda'],
      ['S3Endpoint', 'finalizeVod aws:s3'],
      ['EndpointFromFunctions', 'reapSessions aws:sqs'],
      ['EndpointFromTranscoders', 'transcoder aws:lambda'],
      ['CacheFromFunctions', 'resolve redis'],
      ['TranscoderMediaFromEdge', 'edge media'],
      ['TranscoderMediaFromPeers', 'transcoder media'],
      ['TranscoderMediaFromFunctions', 'reapSessions media'],
      ['PublicRouteToInternet', 'edge aws:ecr'],
      ['PublicRoutesB', 'transcoder aws:logs'],
      ['IsolatedRoutesA', 'finalizeVod aws:s3'],
    ])('needs %s: without it there is no %s', async (removed, lost) => {
      const { [removed]: _, ...resources } = stacks().full.resources;
      const stack = { ...stacks().full, resources };
      const unreached: string[] = [];
      for (const program of programsOf(stack)) {
        for (const target of needsOf(program, await codeOf(program.entry))) {
          if (!canReach(stack, program, target)) unreached.push(`${program.name} ${target}`);
        }
      }
      expect(unreached).toContain(lost);
    });

    it('is what the table of docs/deploy.md says', async () => {
      const { full } = stacks();
      const rows = await Promise.all(
        programsOf(full).map(async (program) => {
          const needs = needsOf(program, await codeOf(program.entry));
          const cells = COLUMNS.map((target) =>
            needs.has(target) ? 'uses' : canReach(full, program, target) ? 'could' : '–',
          );
          return `| \`${program.name}\` | ${placeOf(program)} | ${cells.join(' | ')} |`;
        }),
      );
      const page = await readFile(join(ROOT, 'docs/deploy.md'), 'utf8');
      const table = /<!-- reachability -->\n\n\|.*\n\|.*\n((?:\|.*\n)+)/.exec(page)?.[1] ?? '';
      const squeezed = table
        .trim()
        .split('\n')
        .map((line) => line.replaceAll(/ +/g, ' '));
      expect(squeezed.toSorted()).toEqual(rows.toSorted());
    });

    it('keeps the functions that use Redis away from the Internet, and those that call webhooks away from Redis', () => {
      const { full } = stacks();
      for (const program of programsOf(full).filter(({ kind }) => kind === 'function')) {
        const reaches = (['redis', 'internet'] as const).filter((target) => canReach(full, program, target));
        expect(reaches).toHaveLength(1);
      }
    });

    it('is open to the world on 1935 and 443 alone, and only at the load balancers', () => {
      const open = (stack: DecidedStack): string[] =>
        resourcesOf(stack, 'AWS::EC2::SecurityGroup').flatMap(([group]) =>
          rulesOf(stack, group, 'Ingress')
            .filter(({ CidrIp }) => CidrIp !== undefined)
            .map(({ CidrIp, FromPort, ToPort }) => `${group} ${CidrIp ?? ''} ${FromPort}-${ToPort}`),
        );
      expect(open(stacks().first)).toEqual(['IngestBalancerSecurityGroup 0.0.0.0/0 1935-1935']);
      expect(open(stacks().everything)).toEqual([
        'IngestBalancerSecurityGroup 0.0.0.0/0 1935-1935',
        'IngestBalancerSecurityGroup 0.0.0.0/0 443-443',
        'EdgeBalancerSecurityGroup 0.0.0.0/0 443-443',
      ]);
      // Without a certificate the edge is reached in the clear, by CloudFront and nobody else.
      const [rule, ...others] = rulesOf(stacks().first, 'EdgeBalancerSecurityGroup', 'Ingress');
      expect(others).toEqual([]);
      expect(rule).toMatchObject({ FromPort: 80, SourcePrefixListId: { 'Fn::FindInMap': expect.anything() } });
    });

    it('gives each role a group of its own, and lets nobody into the functions', () => {
      const { full } = stacks();
      const groups = resourcesOf(full, 'AWS::EC2::SecurityGroup').map(([group]) => group);
      const entering = Object.fromEntries(
        groups.map((group) => [
          group,
          rulesOf(full, group, 'Ingress')
            .filter(({ SourceSecurityGroupId }) => SourceSecurityGroupId !== undefined)
            .map(
              ({ SourceSecurityGroupId, FromPort, ToPort }) =>
                `${referred(SourceSecurityGroupId)} ${FromPort}-${ToPort}`,
            ),
        ]),
      );
      expect(entering).toEqual({
        IngestBalancerSecurityGroup: [],
        TranscoderSecurityGroup: [
          'IngestBalancerSecurityGroup 1935-1935',
          'IngestBalancerSecurityGroup 8000-8000',
          'TranscoderSecurityGroup 1935-1935',
          'TranscoderSecurityGroup 8000-8000',
          'EdgeSecurityGroup 8000-8000',
          'FunctionSecurityGroup 8000-8000',
        ],
        EdgeBalancerSecurityGroup: [],
        EdgeSecurityGroup: ['EdgeBalancerSecurityGroup 8080-8080'],
        FunctionSecurityGroup: [],
        CacheSecurityGroup: ['FunctionSecurityGroup 6379-6380'],
        EndpointSecurityGroup: ['FunctionSecurityGroup 443-443', 'TranscoderSecurityGroup 443-443'],
      });
    });

    it('spans two zones without a NAT gateway, and no isolated subnet leads out', () => {
      const { full } = stacks();
      expect(resourcesOf(full, 'AWS::EC2::NatGateway')).toEqual([]);
      const zones = resourcesOf(full, 'AWS::EC2::Subnet').map(([name, { Properties }]) => [
        name,
        JSON.stringify(Properties['AvailabilityZone']).includes('[1,'),
        routesToInternet(full, name),
      ]);
      expect(zones).toEqual([
        ['PublicSubnetA', false, true],
        ['PublicSubnetB', true, true],
        ['IsolatedSubnetA', false, false],
        ['IsolatedSubnetB', true, false],
      ]);
    });
  });
}
