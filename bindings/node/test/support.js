// What the tests share: a receiver, temporary folders, and programs run as processes of their own.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');

// An HTTP server on loopback that records the events it gets. status may be changed; with null it never answers.
async function startReceiver(context) {
  const receiver = { events: [], batches: 0, status: 200 };
  const server = http.createServer((request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => {
      if (receiver.status === null) return;
      if (receiver.status === 200 && request.headers['x-messagesystems-batch-id']) {
        receiver.batches++;
        for (const record of JSON.parse(Buffer.concat(pieces))) receiver.events.push(...Object.values(record.msys));
      }
      response.statusCode = receiver.status;
      response.end('answer');
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  receiver.url = `http://127.0.0.1:${server.address().port}/hook`;
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return receiver;
}

function temporaryFolder(context) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'posthaste-node-'));
  context.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

// Runs a program, given as text or as a file: what it wrote so far, and a promise of how it ends.
function runProgram(
  source,
  { flags = [], environment = {}, file = null, parameters = [], folder, limitMs = 30000 } = {},
) {
  const child = spawn(process.execPath, [...flags, ...(file ? [file] : ['-e', source]), ...parameters], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const result = { stdout: '', stderr: '', child };
  child.stdout.on('data', (text) => {
    result.stdout += text;
  });
  child.stderr.on('data', (text) => {
    result.stderr += text;
  });
  result.ended = new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ status, signal, stdout: result.stdout, stderr: result.stderr });
    });
  });
  return result;
}

// The first true value of a condition, which may be a promise.
async function waitUntil(condition, what, limitMs = 20000) {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function allReports(engine) {
  const found = [];
  for await (const report of engine.reports()) found.push(report);
  return found;
}

module.exports = { startReceiver, temporaryFolder, runProgram, waitUntil, allReports };
