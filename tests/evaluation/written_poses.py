"""Poses of a video, written for the test."""

import numpy as np

from kinepose.artifacts.pose_files import VideoPoses, write_poses


def write_video_poses(path, joints3d, frame, track=None, joints2d=None):
    count = len(joints3d)
    joints3d = np.asarray(joints3d, np.float32)
    write_poses(
        path,
        VideoPoses(
            video=np.array("video.mp4"),
            frame=np.asarray(frame, np.int64),
            time=np.asarray(frame) / 50.0,
            image=np.full(count, ""),
            track=np.zeros(count, np.int64) if track is None else np.asarray(track, np.int64),
            box=np.tile(np.float32([10, 20, 60, 220]), (count, 1)),
            joints2d=np.zeros((count, 17, 2), np.float32) if joints2d is None else joints2d,
            joints3d=joints3d - joints3d[:, :1],
            confidence=np.full((count, 17), 0.5, np.float32),
            root=np.tile(np.float32([0, 0, 5000]), (count, 1)),
            focal=np.full(count, 500, np.float32),
            energy=np.zeros(count, np.float32),
            fps=np.array(25, np.float32),
        ),
    )
    return path
