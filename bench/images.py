"""Images for the benchmarks, made without a network."""

import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile


def true_rootfs(context):
    """A root with a static true and busybox's sleep; the archive's path."""
    archive = context.scratch / "true.tar"
    if archive.exists():
        return archive
    tree = context.scratch / "true-rootfs"
    for name in ("bin", "proc", "dev", "sys", "tmp", "etc"):
        (tree / name).mkdir(parents=True)
    shutil.copy(context.bin / "bench" / "true", tree / "bin" / "true")
    shutil.copy(shutil.which("busybox"), tree / "bin" / "busybox")
    (tree / "bin" / "sleep").symlink_to("busybox")
    subprocess.run(["tar", "--owner=0", "--group=0", "-C", tree, "-cf",
                    archive, "."], check=True)
    return archive


def bundle(context, tree, command=("/bin/true",)):
    """An OCI bundle with the box of the floor program."""
    path = context.scratch / ("bundle-" + pathlib.Path(command[0]).name)
    path.mkdir(exist_ok=True)
    spec = json.loads(subprocess.run(
        [context.bin / "examples/oci-runtime/ck-oci", "spec", "-b", path],
        check=True, capture_output=True, text=True).stdout or
        (path / "config.json").read_text())
    spec["ociVersion"] = "1.0.2"  # the newest that Debian's crun knows
    spec["root"] = {"path": str(tree), "readonly": False}
    spec["process"]["terminal"] = False
    spec["process"]["args"] = list(command)
    resources = spec["linux"].setdefault("resources", {})
    resources["memory"] = {"limit": 64 << 20}
    resources["pids"] = {"limit": 64}
    spec["linux"]["cgroupsPath"] = "/bench-{}".format(os.getpid())
    (path / "config.json").write_text(json.dumps(spec))
    return path


def layer_trees(context, count):
    """`count` directories as the layers of an image, topmost first."""
    true_rootfs(context)
    trees = [context.scratch / "true-rootfs"]
    for i in range(1, count):
        tree = context.scratch / f"layer-{i}" / "layer"
        tree.mkdir(parents=True, exist_ok=True)
        (tree / str(i)).write_text("x")
        trees.insert(0, tree.parent)
    return trees


def _tar(files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content, mode in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = mode
            tar.addfile(info, io.BytesIO(content))
    return data.getvalue()


def _digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layered(context, counts):
    """A docker-archive with images layers:<n>, n in counts."""
    archive = context.scratch / "layers.tar"
    true = (context.bin / "bench" / "true").read_bytes()
    base = _tar([("bin/true", true, 0o755), ("proc/.keep", b"", 0o644),
                 ("dev/.keep", b"", 0o644), ("sys/.keep", b"", 0o644)])
    blobs = [base] + [_tar([(f"layer/{i}", b"x", 0o644)])
                      for i in range(1, max(counts))]
    members = [(f"{i}/layer.tar", blob, 0o644) for i, blob in enumerate(blobs)]
    manifest = []
    for count in counts:
        config = json.dumps({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers",
                       "diff_ids": [_digest(b) for b in blobs[:count]]},
        }).encode()
        members.append((f"{count}.json", config, 0o644))
        manifest.append({"Config": f"{count}.json",
                         "RepoTags": [f"layers:{count}"],
                         "Layers": [f"{i}/layer.tar" for i in range(count)]})
    members.append(("manifest.json", json.dumps(manifest).encode(), 0o644))
    archive.write_bytes(_tar(members))
    return archive


def _oci(path, tag, layers):
    """Writes an OCI layout with gzip layers given as tars."""
    blobs = path / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data, media_type):
        digest = _digest(data)
        (blobs / digest.split(":")[1]).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}
    descriptors = [put(gzip.compress(tar, 6, mtime=0),
                       "application/vnd.oci.image.layer.v1.tar+gzip")
                   for tar in layers]
    config = put(json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(t) for t in layers]},
    }).encode(), "application/vnd.oci.image.config.v1+json")
    manifest = put(json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": descriptors}).encode(),
        "application/vnd.oci.image.manifest.v1+json")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (path / "index.json").write_text(json.dumps(
        {"schemaVersion": 2, "manifests": [manifest]}))
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def debian(context, registry):
    """Fills the registry: debian:one (one layer), debian:many (forty layers of
    the same files). The files are this machine's own /usr, about 200 MB."""
    wanted = 20 << 20 if context.smoke else 200 << 20
    files = []
    total = 0
    for directory, names, file_names in os.walk("/usr"):
        names.sort()
        for name in sorted(file_names):
            path = pathlib.Path(directory) / name
            if path.is_symlink() or not path.is_file():
                continue
            size = path.stat().st_size
            if size > 8 << 20 or total + size > wanted:
                continue
            files.append((str(path)[1:], path.read_bytes(), 0o644))
            total += size
        if total > wanted * 0.98:
            break
    registry.bytes = total
    share = (len(files) + 39) // 40
    parts = [files[i:i + share] for i in range(0, len(files), share)]
    for tag, layers in (("one", [_tar(files)]),
                        ("many", [_tar(part) for part in parts])):
        layout = context.scratch / f"oci-{tag}"
        _oci(layout, tag, layers)
        subprocess.run(
            ["skopeo", "copy", "-q", "--dest-tls-verify=false",
             f"oci:{layout}:{tag}",
             f"docker://{registry.name(f'debian:{tag}')}"], check=True)
