// The page's one state is the number of the frame and who is chosen; show() draws both everywhere.
"use strict";
const $ = (selector) => document.querySelector(selector);
const data = JSON.parse($("#data").textContent);
const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
const numbers = (name, Kind) => new Kind(bytes(data[name]).buffer);

// One row a person and frame, as in poses.npz.
const frameOf = numbers("frame", Int32Array);
const trackOf = numbers("track", Int32Array);
const energy = numbers("energy", Float32Array);
const timeOf = numbers("time", Float32Array); // of every frame [s]: frames may come unevenly
const joints2d = numbers("joints2d", Int16Array); // quarters of a px of the video here
const joints3d = numbers("joints3d", Int16Array); // mm: x right, y down, z away, pelvis at 0
const people = [...new Set(trackOf)].sort((a, b) => a - b);
const rows = people.map((track) => {
  const ofFrame = new Map();
  trackOf.forEach((t, row) => t === track && ofFrame.set(frameOf[row], row));
  return ofFrame;
});
const last = data.frames - 1;
const end = timeOf[last] + 1 / data.fps;
const middle = (frame) => (timeOf[frame] + (timeOf[frame + 1] ?? end)) / 2;
const present = (frame) => rows.map((ofFrame) => ofFrame.get(frame)); // undefined where absent
let frame = 0;
let chosen = people.length > 1 ? -1 : 0; // a place in `people`; -1 is everyone
const isChosen = (person) => chosen < 0 || chosen === person;

// reduce, not Math.max(...): a page may hold more numbers than a function takes.
function most(numbers, atLeast) {
  return numbers.reduce((most, number) => (number > most ? number : most), atLeast);
}

function colour(joint, person) {
  const side = data.joints[joint].split("_")[0];
  return data[side] ?? data.midlines[person % data.midlines.length];
}

// The video, and the limbs drawn on it.
const video = $("video");
video.src = URL.createObjectURL(new Blob([bytes(data.video)], { type: "video/mp4" }));
const drawings = people.map((_, person) => {
  const drawing = append("g", $("#video svg"));
  for (const [, joint] of data.limbs) append("line", drawing).style.stroke = colour(joint, person);
  return drawing;
});

function append(name, parent) {
  return parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", name));
}

function drawOnVideo(person, row) {
  const { style, children: lines } = drawings[person];
  style.display = row === undefined ? "none" : "";
  style.opacity = isChosen(person) ? 1 : 0.3;
  if (row === undefined) return;
  data.limbs.forEach((ends, limb) => {
    ends.forEach((joint, end) => {
      const x = 2 * (17 * row + joint);
      lines[limb].setAttribute(`x${end + 1}`, joints2d[x] / 4);
      lines[limb].setAttribute(`y${end + 1}`, joints2d[x + 1] / 4);
    });
  });
}

// The skeletons in 3D [m]: x right, y up, z towards the viewer. Poses do not say where people are:
// their lowest joint is put on the floor, and they are put side by side.
const UP = new THREE.Vector3(0, 1, 0);
const REACH = most(joints3d, 1) / 1000; // about from the pelvis to the top of the head
const atOnce = new Uint16Array(data.frames);
for (const frame of frameOf) atOnce[frame]++;
const scene = new THREE.Scene();
const camera = new THREE.PerspectiveCamera(35, 1, REACH / 20, 100 * REACH);
const light = new THREE.DirectionalLight("white", 1.8);
light.position.set(1, 3, 2);
const floor = new THREE.GridHelper(6 * REACH, 12, "#5b6373", "#3e4450");
scene.add(light, new THREE.HemisphereLight("white", "#556", 1.8), floor);
const ball = new THREE.SphereGeometry(1, 16, 12);
const rod = new THREE.CylinderGeometry(1, 1, 1, 12);
const figures = people.map((_, person) => newFigure(person));
const [renderer, controls] = newRenderer();

function newFigure(person) {
  const figure = new THREE.Group();
  const part = (shape, joint) => {
    const paint = new THREE.MeshLambertMaterial({ color: colour(joint, person) });
    const mesh = new THREE.Mesh(shape, paint);
    figure.add(mesh);
    return mesh;
  };
  figure.balls = data.joints.map((_, joint) => part(ball, joint));
  figure.rods = data.limbs.map(([, joint]) => part(rod, joint));
  figure.balls.forEach((mesh) => mesh.scale.setScalar(0.026 * REACH));
  scene.add(figure);
  return figure;
}

function newRenderer() {
  try {
    const renderer = new THREE.WebGLRenderer({ antialias: true, alpha: true });
    $("#skeletons").prepend(renderer.domElement);
    const controls = new THREE.OrbitControls(camera, renderer.domElement);
    controls.addEventListener("change", render);
    return [renderer, controls];
  } catch {
    $("#absent").textContent = "This browser draws no 3D: WebGL is missing.";
    return [null, null];
  }
}

function poseFigure(person, row) {
  const { balls, rods } = figures[person];
  figures[person].visible = row !== undefined && isChosen(person);
  if (row === undefined) return;
  balls.forEach(({ position }, joint) => {
    const [x, y, z] = joints3d.subarray(3 * (17 * row + joint));
    position.set(x / 1000, -y / 1000, -z / 1000);
  });
  figures[person].position.y = -Math.min(...balls.map(({ position }) => position.y));
  data.limbs.forEach(([parent, joint], limb) => {
    const start = balls[parent].position;
    const along = balls[joint].position.clone().sub(start);
    rods[limb].position.copy(start).addScaledVector(along, 0.5);
    rods[limb].scale.set(0.016 * REACH, along.length(), 0.016 * REACH);
    rods[limb].quaternion.setFromUnitVectors(UP, along.normalize());
  });
}

// From a direction, and from so far that all who are chosen are in view.
function lookFrom(x, y, z) {
  if (!controls) return;
  const columns = chosen < 0 ? most(atOnce, 1) : 1;
  controls.target.set(0, 0.85 * REACH, 0);
  camera.position.set(x, y, z).setLength((3.5 + 0.9 * columns) * REACH).add(controls.target);
  controls.update();
  render();
}

function render() {
  renderer?.render(scene, camera);
}

new ResizeObserver(([{ contentRect: { width, height } }]) => {
  renderer?.setPixelRatio(devicePixelRatio);
  renderer?.setSize(width, height, false);
  camera.aspect = width / height;
  camera.updateProjectionMatrix();
  render();
}).observe($("#skeletons"));

// Energy over time: 1000 wide, 100 high, as the chart's viewBox says.
const peak = most(energy, 1e-9);
const across = (frame) => (1000 * middle(frame)) / end;
const curves = rows.map((ofFrame) => {
  let before = -2;
  let path = "";
  for (const [index, row] of ofFrame) {
    if (Number.isNaN(energy[row])) continue;
    path += `${index === before + 1 ? "L" : "M"}${across(index)} ${97 - (94 * energy[row]) / peak}`;
    before = index;
  }
  const curve = append("path", $("#chart"));
  curve.setAttribute("d", path);
  return curve;
});
const cursor = append("line", $("#chart"));
cursor.setAttribute("y2", 100);
$("#energy").hidden = energy.every(Number.isNaN);

// Everything that depends on the frame and on who is chosen.
function show(wanted) {
  frame = Math.max(0, Math.min(last, wanted));
  present(frame).forEach((row, person) => {
    drawOnVideo(person, row);
    poseFigure(person, row);
    curves[person].classList.toggle("chosen", isChosen(person));
  });
  const shown = figures.filter((figure) => figure.visible);
  shown.forEach((figure, column) => {
    figure.position.x = 1.2 * REACH * (column - (shown.length - 1) / 2);
  });
  render();
  if (renderer) $("#absent").textContent = shown.length ? "" : "Not found in this frame.";
  const row = present(frame)[chosen];
  $("#value").textContent = row === undefined ? "" : energy[row].toPrecision(3);
  $("#time").textContent = data.images.length
    ? `image ${frame + 1} of ${data.frames}: ${data.images[frame]}`
    : `${timeOf[frame].toFixed(2)} s, frame ${frame} of ${data.frames}`;
  $("#slider").value = frame;
  cursor.setAttribute("x1", across(frame));
  cursor.setAttribute("x2", across(frame));
}

// Time. The video leads while it plays; frame i is shown from timeOf[i] on.
function seek(wanted) {
  show(wanted);
  video.currentTime = middle(frame);
}

function frameAt(time) {
  let [low, high] = [0, last];
  while (low < high) {
    const half = (low + high + 1) >> 1;
    if (timeOf[half] <= time) low = half;
    else high = half - 1;
  }
  return low;
}

function follow(_, presented) {
  const time = presented?.mediaTime ?? video.currentTime;
  if (!video.paused && !video.seeking) show(frameAt(time + 0.001)); // what rounding takes
  onNextFrame(follow);
}

function onNextFrame(callback) {
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(callback);
  else requestAnimationFrame(callback);
}

function toggle() {
  if (!video.paused) return video.pause();
  if (frame === last) seek(0);
  video.play();
}

// Hands.
$("#play").onclick = toggle;
video.onplay = () => ($("#play").textContent = "Pause");
video.onpause = () => {
  $("#play").textContent = "Play";
  seek(video.ended ? last : frame);
};
document.querySelectorAll("[data-step]").forEach((button) => {
  button.onclick = () => seek(frame + Number(button.dataset.step));
});
document.querySelectorAll("[data-view]").forEach((button) => {
  button.onclick = () => lookFrom(...button.dataset.view.split(" ").map(Number));
});
$("#slider").oninput = () => seek(Number($("#slider").value));
$("#speed").onchange = () => (video.playbackRate = Number($("#speed").value));
$("#drawn").onchange = () => ($("#video svg").style.display = $("#drawn").checked ? "" : "none");
const choices = people.map((track, person) => new Option(`${track}`, person));
if (people.length > 1) choices.unshift(new Option("everyone", -1));
$("#person").append(...choices);
$("#person").onchange = () => {
  chosen = Number($("#person").value);
  show(frame);
  if (controls) lookFrom(...camera.position.clone().sub(controls.target));
};
$("#chart").onpointerdown = $("#chart").onpointermove = ({ buttons, clientX }) => {
  const { left, width } = $("#chart").getBoundingClientRect();
  if (buttons) seek(frameAt(((clientX - left) / width) * end));
};
document.onkeydown = (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.key === " " && !event.target.matches("button, select, [type=checkbox]")) toggle();
  else if (step && !event.target.matches("input, select")) seek(frame + step);
  else return;
  event.preventDefault();
};

lookFrom(0, 0, 1);
seek(0);
onNextFrame(follow);
