/**
 * The stack proven without an account: it is packaged offline, and what comes out is held against the rules of
 * CloudFormation, the network, least rights, and the code that will run in it.
 */
import cloudFormationValidate from '@aws/cloudformation-validate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environmentSuite } from './environment_suite.ts';
import { functionSuite } from './function_suite.ts';
import { packageStack } from './package_stack.ts';
import type { PackagedStack } from './package_stack.ts';
import { reachabilitySuite } from './reachability_suite.ts';
import { rightsSuite } from './rights_suite.ts';
import { serviceSuite } from './service_suite.ts';
import { decideStack } from './template.ts';
import type { DecidedStack } from './template.ts';

/** What an operator may set, so that both sides of each condition are looked at with values that make sense. */
export const EVERYTHING_SET: Readonly<Record<string, string>> = {
  Image: '123456789012.dkr.ecr.us-east-1.amazonaws.com/headwater-prod:1',
  AuthWebhookUrl: 'https://example.com/publish',
  EventWebhookUrl: 'https://example.com/events',
  RedisUrlArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:redis-abcdef',
  PlaybackKeysArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:playback-abcdef',
  PlaybackJwksUrl: 'https://example.com/jwks.json',
  PlaybackAudience: 'viewers',
  IngestDomain: 'ingest.example.com',
  IngestCertificate: 'arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000001',
  EdgeDomain: 'edge.example.com',
  EdgeCertificate: 'arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000002',
  ViewerDomain: 'tv.example.com',
  ViewerCertificate: 'arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000003',
  CloudFrontPrefixList: 'pl-3b927c52',
  AlarmEmail: 'ops@example.com',
};

/** Warnings that stay, each with its reason. */
const EXPLAINED: readonly { readonly rule: string; readonly on: RegExp; readonly why: string }[] = [
  {
    rule: 'W3005',
    on: /LambdaFunction$/,
    why: 'osls makes a function depend on its role beside naming it; to say so twice does no harm',
  },
];

let dev: PackagedStack;
let prod: PackagedStack;
let first: DecidedStack;
let full: DecidedStack;

beforeAll(async () => {
  // One after the other: the bundler's work folder is the project's.
  dev = await packageStack('dev');
  prod = await packageStack('prod', [`image=${EVERYTHING_SET['Image'] ?? ''}`]);
  first = decideStack(dev.template, dev.parameters);
  full = decideStack(prod.template, { ...prod.parameters, EventWebhookUrl: 'https://example.com/events' });
});

afterAll(async () => {
  await dev?.remove();
  await prod?.remove();
});

describe('serverless package', () => {
  it('needs no credentials, no network, and says nothing by way of warning', () => {
    expect(prod.output).toContain('Service packaged');
    expect(prod.output).not.toMatch(/warning|deprecat/i);
  });

  it('makes both stages, which differ in what serverless.yml says and in their names', () => {
    const unnamed = (stack: PackagedStack, stage: string, name: string): string =>
      JSON.stringify(stack.template.Resources[name])
        .replaceAll(new RegExp(`(headwater[-/ ])${stage}\\b`, 'gi'), '$1STAGE')
        .replaceAll(/STAGE\/[0-9]+-[0-9T:.Z-]+/g, 'STAGE/TIME');
    expect(Object.keys(dev.template.Resources)).toEqual(Object.keys(prod.template.Resources));
    for (const name of Object.keys(dev.template.Resources)) {
      expect(unnamed(dev, 'dev', name)).toBe(unnamed(prod, 'prod', name));
    }
    const { Image: _, ...different } = Object.fromEntries(
      Object.entries(prod.parameters).filter(([name, value]) => dev.parameters[name] !== value),
    );
    expect(different).toEqual({ ReserveConcurrency: 'yes', BothZones: 'yes', MaxTranscoders: '20', MaxEdges: '10' });
  });

  it('hands over every parameter that the template has, and no secret', () => {
    expect(Object.keys(prod.parameters).toSorted()).toEqual(Object.keys(prod.template.Parameters).toSorted());
    expect(Object.values(prod.template.Parameters).filter(({ NoEcho }) => NoEcho === true)).toEqual([]);
  });
});

describe('the template', () => {
  it('has no error in the eyes of cloudformation-validate, and no warning that is not explained', () => {
    const { RegoEngine, TemplateFile } = cloudFormationValidate;
    const engine = new RegoEngine();
    const { status, diagnostics } = engine.validateStandard(new TemplateFile(prod.templateFile), {
      severityLevel: 'WARN',
      parameterOverrides: { ...EVERYTHING_SET },
    });
    engine.free();
    const isExplained = ({ ruleId, entity }: (typeof diagnostics)[number]): boolean =>
      EXPLAINED.some(({ rule, on }) => rule === ruleId && on.test(entity?.logicalId ?? ''));
    const found = diagnostics.map(({ severity, ruleId, entity, message }) =>
      [severity, ruleId, entity?.logicalId, message].join(' '),
    );
    expect(status).toBe('OK');
    expect(found.filter((_, index) => diagnostics[index] !== undefined && !isExplained(diagnostics[index]))).toEqual(
      [],
    );
    for (const { rule } of EXPLAINED) expect(diagnostics.map(({ ruleId }) => ruleId)).toContain(rule);
  });

  it('tells a person where to publish and where to watch', () => {
    expect(Object.keys(first.outputs)).toEqual(
      expect.arrayContaining(['RtmpUrl', 'PlaybackUrl', 'WatchUrl', 'EdgeUrl', 'ImageRepository', 'StreamKeysSecret']),
    );
    expect(first.outputs['RtmpUrl']).toEqual({ 'Fn::Sub': 'rtmp://${IngestBalancer.DNSName}:1935/stream' });
    expect(first.outputs).not.toHaveProperty('RtmpsUrl');
    const named = decideStack(prod.template, EVERYTHING_SET).outputs;
    expect(named).toMatchObject({
      RtmpUrl: 'rtmp://ingest.example.com:1935/stream',
      RtmpsUrl: 'rtmps://ingest.example.com:443/stream',
      PlaybackUrl: 'https://tv.example.com/STREAM/live.m3u8',
      EdgeUrl: 'https://edge.example.com',
    });
  });
});

const stacks = () => ({ first, full, everything: decideStack(prod.template, EVERYTHING_SET) });

reachabilitySuite(stacks);
rightsSuite(stacks);
serviceSuite(stacks);
environmentSuite(stacks);
functionSuite(stacks, () => prod.folder);
