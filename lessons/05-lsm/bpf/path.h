/* Is a file under the directory? */
#ifndef __PATH_H__
#define __PATH_H__

// What steps_to_dir says of a file that is not under the directory.
#define OUTSIDE -1

// The verifier follows every step of a loop, and has to see its end. What is deeper is denied
// without looking further.
#define MAX_STEPS 64

// User space sets these before it loads the programs; after that they are constants.
const volatile __u32 dir_device;
const volatile __u64 dir_inode;

// ANCHOR: walk
// How many steps it is from the file up to the directory.
static __always_inline int steps_to_dir(struct dentry *dentry)
{
	if (dentry->d_sb->s_dev != dir_device)
		return OUTSIDE;
	for (int steps = 0; steps < MAX_STEPS; steps++) {
		struct inode *inode = dentry->d_inode;
		struct dentry *parent = dentry->d_parent;

		if (inode && inode->i_ino == dir_inode)
			return steps;
		if (parent == dentry)
			return OUTSIDE; // the root of the file system
		dentry = parent;
	}
	return MAX_STEPS;
}
// ANCHOR_END: walk

#endif
